//! Each test confines a thread of its own, so that the others keep their rights.

use std::fs;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::thread;

use nix::errno::Errno;
use nix::mount::MsFlags;
use nix::sched::CloneFlags;
use nix::sys::signal::Signal;
use nix::sys::socket::{AddressFamily, SockFlag, SockType};
use nix::unistd::Pid;

use super::landlock::{self, Fence, Fenced};
use super::seccomp;

/// Runs this on a thread of its own and waits for its end.
fn apart(what: impl FnOnce() + Send + 'static) {
    thread::spawn(what).join().unwrap();
}

#[test]
fn other_calls_fail_and_the_thread_goes_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    apart(move || {
        seccomp::filter().unwrap();
        assert_eq!(
            Command::new("/bin/true").status().unwrap_err().raw_os_error(),
            Some(libc::ENOSYS)
        );
        let shell = nix::unistd::execv(c"/bin/sh", &[c"sh"]);
        assert_eq!(shell, Err(Errno::ENOSYS));
        assert_eq!(nix::sys::ptrace::attach(Pid::parent()), Err(Errno::ENOSYS));
        let mounted =
            nix::mount::mount(None::<&str>, "/tmp", Some("tmpfs"), MsFlags::empty(), None::<&str>);
        assert_eq!(mounted, Err(Errno::ENOSYS));
        assert_eq!(nix::sched::unshare(CloneFlags::CLONE_NEWUSER), Err(Errno::ENOSYS));
        assert_eq!(nix::sys::signal::kill(Pid::this(), Signal::SIGKILL), Err(Errno::ENOSYS));
        for (family, kind) in [
            (AddressFamily::Packet, SockType::Raw),
            (AddressFamily::Inet, SockType::Raw),
            (AddressFamily::Vsock, SockType::Stream),
        ] {
            let socket = nix::sys::socket::socket(family, kind, SockFlag::empty(), None);
            assert_eq!(socket.unwrap_err(), Errno::ENOSYS, "{family:?}");
        }

        // Everything that the daemon needs still works, also on new threads.
        let lookup = thread::Builder::new()
            .name("reach".into())
            .spawn(|| ("localhost", 1).to_socket_addrs().unwrap().count());
        assert!(lookup.unwrap().join().unwrap() > 0);
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        udp.connect(udp.local_addr().unwrap()).unwrap();
        udp.send(b"packet").unwrap();
        TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        UnixStream::pair().unwrap().0.set_nonblocking(true).unwrap();
    });
}

#[test]
fn other_files_are_out_of_reach() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["etc", "state", "run", "secret"] {
        fs::create_dir(at(name)).unwrap();
        fs::write(at(name).join("file"), name).unwrap();
    }
    std::os::unix::fs::symlink(at("secret/file"), at("etc/link")).unwrap();
    let fence = Fence { read: vec![at("etc")], write: at("state"), clear: at("run") };
    let root = folder.path().to_owned();
    apart(move || {
        if landlock::fence(&fence).unwrap() == Fenced::NotAtAll {
            return eprintln!("not tested: this kernel has no Landlock");
        }
        let at = |name: &str| root.join(name);
        let denied =
            |path: &Path| fs::read(path).unwrap_err().kind() == ErrorKind::PermissionDenied;
        for hidden in ["secret/file", "etc/link", "run/file"] {
            assert!(denied(&at(hidden)), "{hidden} can be read");
        }
        assert!(denied(Path::new("/root/.bashrc")) || !Path::new("/root/.bashrc").exists());
        assert!(denied(Path::new("/proc/1/environ")));
        for fixed in ["etc/file", "run/file", "secret/file", "etc/new", "run/new"] {
            assert!(fs::write(at(fixed), "x").is_err(), "{fixed} can be written");
        }
        assert!(fs::remove_file(at("etc/file")).is_err());
        assert!(TcpListener::bind("127.0.0.1:0").is_err(), "it can listen on TCP");

        assert_eq!(fs::read(at("etc/file")).unwrap(), b"etc");
        assert!(fs::read_dir(at("etc")).unwrap().count() > 0);
        fs::write(at("state/new"), "x").unwrap();
        fs::rename(at("state/new"), at("state/file")).unwrap();
        fs::remove_file(at("run/file")).unwrap();
        assert!(("localhost", 1).to_socket_addrs().unwrap().count() > 0);
    });
}

#[test]
fn replaced_files_stay_within_reach() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("streams")).unwrap();
    fs::write(at("dynrelay.toml"), "one").unwrap();
    let fence =
        Fence { read: vec![folder.path().to_owned()], write: at("nowhere"), clear: at("nowhere") };
    let (fenced, done) = std::sync::mpsc::channel();
    let (go, changed) = std::sync::mpsc::channel::<()>();
    let (toml, sdp) = (at("dynrelay.toml"), at("streams/news.sdp"));
    let confined = thread::spawn(move || {
        landlock::fence(&fence).unwrap();
        fenced.send(()).unwrap();
        changed.recv().unwrap();
        assert_eq!(fs::read(toml).unwrap(), b"two");
        assert_eq!(fs::read(sdp).unwrap(), b"sdp");
    });
    done.recv().unwrap();
    fs::write(at("new"), "two").unwrap();
    fs::rename(at("new"), at("dynrelay.toml")).unwrap();
    fs::remove_dir(at("streams")).unwrap();
    fs::create_dir(at("streams")).unwrap();
    fs::write(at("streams/news.sdp"), "sdp").unwrap();
    go.send(()).unwrap();
    confined.join().unwrap();
}
