//! recvmmsg and sendmmsg with buffers that are laid out once.
#![expect(unsafe_code, reason = "recvmmsg and sendmmsg take raw pointers")]

use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddrV4;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The most datagrams that one call receives.
pub(crate) const BATCH: usize = BATCH_CALL as usize;
const BATCH_CALL: libc::c_uint = 64;

/// Room for one datagram, more than any here has. A power of two would crowd a few sets of the
/// cache.
const SLOT: usize = 2048 + 64;

/// Datagrams that one call received.
pub(crate) struct Batch {
    buffer: Box<[u8]>,
    /// Pointed to by `headers`, and point to `buffer`; neither is ever moved or resized.
    _vectors: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
    count: usize,
}

impl Batch {
    pub(crate) fn new() -> Batch {
        let mut buffer = vec![0; BATCH * SLOT].into_boxed_slice();
        let mut vectors: Box<[libc::iovec]> = buffer
            .chunks_exact_mut(SLOT)
            .map(|slot| libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: SLOT })
            .collect();
        let headers = vectors.iter_mut().map(header).collect();
        Batch { buffer, _vectors: vectors, headers, count: 0 }
    }

    /// Receives all datagrams that are there; with `wait`, at least one. Returns their number.
    pub(crate) fn receive(&mut self, socket: BorrowedFd<'_>, wait: bool) -> io::Result<usize> {
        self.count = 0;
        let flags = if wait { libc::MSG_WAITFORONE } else { libc::MSG_DONTWAIT };
        // SAFETY: each header points to one vector and that to one slot of `buffer`, all boxed
        // and owned by `self`, which is borrowed alone for the call.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                BATCH_CALL,
                flags,
                std::ptr::null_mut(),
            )
        };
        self.count = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        Ok(self.count)
    }

    /// The datagrams of the last [`Batch::receive`].
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        let slots = self.buffer.chunks_exact(SLOT).zip(&self.headers[..self.count]);
        slots.filter_map(|(slot, header)| slot.get(..usize::try_from(header.msg_len).ok()?))
    }
}

fn header(vector: &mut libc::iovec) -> libc::mmsghdr {
    // SAFETY: mmsghdr is plain data for which all zeroes is valid: no name, no buffers.
    let mut header: libc::mmsghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    header.msg_hdr.msg_iov = vector;
    header.msg_hdr.msg_iovlen = 1;
    header
}

/// Sends each of these to its target, cut into datagrams as `control` says ([`segments`]; empty:
/// not cut). Returns the number sent.
pub(crate) fn send_all(
    socket: BorrowedFd<'_>,
    frames: &[(&[u8], SocketAddrV4)],
    control: &[u8],
) -> io::Result<usize> {
    let mut names: Vec<_> = frames.iter().map(|(_, target)| name(*target)).collect();
    let mut vectors: Vec<_> = frames
        .iter()
        .map(|(data, _)| libc::iovec {
            iov_base: data.as_ptr().cast_mut().cast(),
            iov_len: data.len(),
        })
        .collect();
    let mut headers: Vec<_> = vectors.iter_mut().map(header).collect();
    for (header, name) in headers.iter_mut().zip(&mut names) {
        header.msg_hdr.msg_name = (&raw mut *name).cast();
        header.msg_hdr.msg_namelen = libc::socklen_t::try_from(size_of_val(name)).unwrap_or(0);
        header.msg_hdr.msg_control = control.as_ptr().cast_mut().cast();
        header.msg_hdr.msg_controllen = control.len() as _;
    }
    let count = libc::c_uint::try_from(headers.len()).map_err(io::Error::other)?;
    // SAFETY: names, vectors, headers, `control` and the frames outlive the call, and sendmmsg
    // writes to none of them but the headers' msg_len.
    let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count, 0) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

fn name(target: SocketAddrV4) -> libc::sockaddr_in {
    // SAFETY: sockaddr_in is plain data for which all zeroes is valid.
    let mut name: libc::sockaddr_in = unsafe { MaybeUninit::zeroed().assume_init() };
    name.sin_family = libc::sa_family_t::try_from(libc::AF_INET).unwrap_or(0);
    name.sin_port = target.port().to_be();
    name.sin_addr.s_addr = u32::from(*target.ip()).to_be();
    name
}

/// The length of a control message's header: a length as wide as a pointer, level, and type.
const CONTROL_HEADER: usize = size_of::<usize>() + 8;
/// The header and a u16, padded to a pointer's width.
const CONTROL: usize = CONTROL_HEADER + size_of::<usize>();

/// A UDP_SEGMENT control message for the kernel: cut the payload into datagrams of this many bytes.
pub(crate) fn segments(size: u16) -> [u8; CONTROL] {
    let mut control = [0; CONTROL];
    let (length, rest) = control.split_at_mut(size_of::<usize>());
    length.copy_from_slice(&(CONTROL_HEADER + size_of::<u16>()).to_ne_bytes());
    rest[..4].copy_from_slice(&libc::SOL_UDP.to_ne_bytes());
    rest[4..8].copy_from_slice(&libc::UDP_SEGMENT.to_ne_bytes());
    rest[8..10].copy_from_slice(&size.to_ne_bytes());
    control
}
