//! System calls that no crate wraps soundly.
//!
//! nix's `recvmmsg` keeps a stale `msg_controllen` between calls, and neither nix nor socket2
//! knows MCAST_JOIN_SOURCE_GROUP. Pointers here live for one call, or in a [`Batch`].
#![expect(unsafe_code, reason = "recvmmsg and setsockopt take raw pointers")]

use socket2::SockAddr;
use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd};

/// How many datagrams one call receives at most.
pub(crate) const BATCH: usize = BATCH_CALL as usize;
const BATCH_CALL: libc::c_uint = 64;

/// Larger than any UDP datagram over IPv4 or IPv6 (jumbograms aside), so none is truncated.
const DATAGRAM: usize = 65_536;

/// The distance of two datagrams' buffers. A power of two would map all their beginnings to the same
/// few sets of the cache, so it is 21 cache lines more.
const STRIDE: usize = DATAGRAM + 21 * 64;

/// Room for a sockaddr_in or a sockaddr_in6, byte by byte.
type Name = [u8; NAME_LENGTH as usize];
const NAME_LENGTH: libc::socklen_t = 28;

/// Room for one u32 control message (SO_RXQ_OVFL), aligned as control messages are.
type Control = [u64; 4];

/// Datagrams received together. The system provides its 4 MiB only as they are used.
pub(crate) struct Batch {
    buffer: Box<[u8]>,
    /// The length of each; `None` if it was truncated or discarded.
    lengths: [Option<usize>; BATCH],
    count: usize,
    /// The sender of each, if the call asked for it.
    names: Box<[Name]>,
    named: bool,
    /// The call's arguments, laid out once. The headers point to the vectors and names, the first
    /// to `control`, and the vectors to `buffer`: none of these is ever moved or resized.
    headers: Box<[libc::mmsghdr]>,
    _vectors: Box<[libc::iovec]>,
    _control: Box<Control>,
}

// SAFETY: the pointers point only to what the batch itself owns on the heap.
unsafe impl Send for Batch {}

impl Batch {
    pub(crate) fn new() -> Batch {
        let mut buffer = vec![0; BATCH * STRIDE].into_boxed_slice();
        let slots = buffer.chunks_exact_mut(STRIDE);
        let mut vectors: Box<[libc::iovec]> = slots
            .map(|slot| libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: DATAGRAM })
            .collect();
        let mut headers: Box<[libc::mmsghdr]> = vectors.iter_mut().map(header).collect();
        let mut control: Box<Control> = Box::new([0; 4]);
        // The counter only grows, so the first datagram's is enough.
        headers[0].msg_hdr.msg_control = control.as_mut_ptr().cast();
        Batch {
            buffer,
            lengths: [None; BATCH],
            count: 0,
            names: vec![[0; NAME_LENGTH as usize]; BATCH].into_boxed_slice(),
            named: false,
            headers,
            _vectors: vectors,
            _control: control,
        }
    }

    /// One of the datagrams; `None` if it was truncated or discarded.
    pub(crate) fn datagram(&self, at: usize) -> Option<&[u8]> {
        let length = self.lengths[..self.count].get(at).copied().flatten()?;
        self.buffer.get(at * STRIDE..)?.get(..length)
    }

    /// The sender of a datagram, if the call asked for it.
    pub(crate) fn sender(&self, at: usize) -> Option<SocketAddr> {
        let name = self.names[..self.count].get(at).filter(|_| self.named)?;
        let (&[a, b, high, low], rest) = name.split_first_chunk()?;
        let port = u16::from_be_bytes([high, low]);
        match i32::from(u16::from_ne_bytes([a, b])) {
            libc::AF_INET => Some((IpAddr::from(*rest.first_chunk::<4>()?), port).into()),
            libc::AF_INET6 => {
                // After four bytes of flow label.
                Some((IpAddr::from(*rest.get(4..)?.first_chunk::<16>()?), port).into())
            }
            _ => None,
        }
    }

    /// Takes a datagram out.
    pub(crate) fn discard(&mut self, at: usize) {
        if let Some(length) = self.lengths.get_mut(at) {
            *length = None;
        }
    }

    /// The datagrams of the last [`Batch::receive`], in order, without the truncated and discarded
    /// ones.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        let slots = self.buffer.chunks_exact(STRIDE);
        slots.zip(&self.lengths[..self.count]).filter_map(|(slot, length)| slot.get(..(*length)?))
    }

    /// How many datagrams the last [`Batch::receive`] took from the socket.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Receives what is there, without waiting, and the senders if `senders`. Returns the socket's
    /// drop counter (SO_RXQ_OVFL) if the kernel provides it, as it does after the first drop.
    pub(crate) fn receive(
        &mut self,
        socket: BorrowedFd<'_>,
        senders: bool,
    ) -> io::Result<Option<u32>> {
        self.count = 0;
        if senders || self.named {
            self.ask_for_names(senders);
        }
        // The last call stored here how much it wrote.
        self.headers[0].msg_hdr.msg_controllen = size_of::<Control>() as _;
        // SAFETY: the headers point to BATCH disjoint slots of DATAGRAM bytes in `buffer`, maybe
        // to as many names of NAME_LENGTH bytes, and to `control`; all of them live as long as
        // `self`, which is borrowed alone for the call.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                BATCH_CALL,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        self.count = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        for (length, header) in self.lengths.iter_mut().zip(&self.headers[..self.count]) {
            let whole = header.msg_hdr.msg_flags & libc::MSG_TRUNC == 0;
            *length = usize::try_from(header.msg_len).ok().filter(|_| whole);
        }
        Ok(read_drops(&self.headers[0].msg_hdr))
    }

    /// Makes the next call store the senders, or not.
    fn ask_for_names(&mut self, wanted: bool) {
        self.named = wanted;
        for (header, name) in self.headers.iter_mut().zip(&mut self.names) {
            let (room, length) = match wanted {
                true => (name.as_mut_ptr().cast(), NAME_LENGTH),
                false => (std::ptr::null_mut(), 0),
            };
            header.msg_hdr.msg_name = room;
            header.msg_hdr.msg_namelen = length;
        }
    }
}

fn header(vector: &mut libc::iovec) -> libc::mmsghdr {
    // SAFETY: mmsghdr is plain data for which all zeroes is valid: no name, no buffers.
    let mut header: libc::mmsghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    header.msg_hdr.msg_iov = vector;
    header.msg_hdr.msg_iovlen = 1;
    header
}

/// The SO_RXQ_OVFL counter in a message's control data.
fn read_drops(header: &libc::msghdr) -> Option<u32> {
    // SAFETY: the kernel has set msg_control and msg_controllen to the control messages that it
    // wrote whole; the pointer is null if there is none. A message of this kind carries a u32.
    unsafe {
        let message = libc::CMSG_FIRSTHDR(header);
        let overflow = !message.is_null()
            && (*message).cmsg_level == libc::SOL_SOCKET
            && (*message).cmsg_type == libc::SO_RXQ_OVFL;
        overflow.then(|| libc::CMSG_DATA(message).cast::<u32>().read_unaligned())
    }
}

/// Sets the interface, by its index, that an IPv4 socket sends to groups on.
pub(crate) fn set_multicast_interface_v4(socket: BorrowedFd<'_>, interface: u32) -> io::Result<()> {
    let any = libc::in_addr { s_addr: 0 };
    let index = libc::c_int::try_from(interface).map_err(io::Error::other)?;
    let request = libc::ip_mreqn { imr_multiaddr: any, imr_address: any, imr_ifindex: index };
    set(socket, libc::IPPROTO_IP, libc::IP_MULTICAST_IF, &request)
}

/// Sets a socket option that takes an int.
pub(crate) fn set_int(
    socket: BorrowedFd<'_>,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    set(socket, level, option, &value)
}

/// Joins a group for one sender's packets (MCAST_JOIN_SOURCE_GROUP, RFC 3678) on the interface
/// with this index, where 0 lets the routes decide.
pub(crate) fn join_source(
    socket: BorrowedFd<'_>,
    group: IpAddr,
    sender: IpAddr,
    interface: u32,
) -> io::Result<()> {
    let level = if group.is_ipv4() { libc::IPPROTO_IP } else { libc::IPPROTO_IPV6 };
    let request = libc::group_source_req {
        gsr_interface: interface,
        gsr_group: storage(group),
        gsr_source: storage(sender),
    };
    set(socket, level, libc::MCAST_JOIN_SOURCE_GROUP, &request)
}

fn storage(address: IpAddr) -> libc::sockaddr_storage {
    let address = SockAddr::from(SocketAddr::new(address, 0));
    // SAFETY: sockaddr_storage is plain data for which all zeroes is valid. The copied bytes are
    // those of an initialised address, which by its type is no longer than a sockaddr_storage.
    unsafe {
        let mut storage: libc::sockaddr_storage = MaybeUninit::zeroed().assume_init();
        let length = usize::try_from(address.len()).unwrap_or(0).min(size_of_val(&storage));
        let from = address.as_ptr().cast::<u8>();
        std::ptr::copy_nonoverlapping(from, (&raw mut storage).cast(), length);
        storage
    }
}

fn set<T>(
    socket: BorrowedFd<'_>,
    level: libc::c_int,
    option: libc::c_int,
    value: &T,
) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<T>()).map_err(io::Error::other)?;
    // SAFETY: the kernel reads `length` bytes, the whole of `value`, and keeps no pointer.
    let done = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const *value).cast(), length)
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
