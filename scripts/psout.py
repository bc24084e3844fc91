"""psout - what psplot, psreport and psrec write, complete or not at all, and the tools that the first two run."""
import os
import re
import signal
import subprocess
import sys
import tempfile


def write(path, data):
    """Bytes to a file, whose name has them all or stays what it was; None: to standard output.  OSError, with the name, if not.
    For programs of one job: what ends them by a signal leaves nothing behind either."""
    for number in (signal.SIGTERM, signal.SIGHUP):  # SIGINT raises already
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        put(path, [data])
    except OSError as e:
        raise OSError(e.errno, e.strerror, path or "<stdout>") from None


def descriptor_of(path):
    """Of standard output and of /dev/stdout and such links, which are not to be replaced by a file; None: another path."""
    link = "/proc/self/fd/1" if path is None else os.readlink(path) if os.path.islink(path) else ""
    found = re.fullmatch("/proc/self/fd/([0-9]+)", link)
    return int(found[1]) if found else None


def put(path, parts):
    """As write, of several parts one after the other, and without a say in signals."""
    fd = descriptor_of(path)
    if fd is not None or (os.path.exists(path) and not os.path.isfile(path)):  # a pipe, a device
        with open(path, "wb") if fd is None else os.fdopen(os.dup(fd), "wb") as f:
            f.writelines(parts)
        return
    folder, name = os.path.split(os.path.abspath(path))
    with tempfile.NamedTemporaryFile(dir=folder, prefix="." + name + ".", delete=False) as f:
        try:
            f.writelines(parts)
            f.flush()
            os.fsync(f.fileno())
            mask = os.umask(0)
            os.umask(mask)
            os.fchmod(f.fileno(), 0o666 & ~mask)
            os.replace(f.name, path)
        except BaseException:
            if os.path.exists(f.name):
                os.unlink(f.name)
            raise


def tool(fail, name, *arguments, text=None):
    """What a tool prints; it is found on PATH or in the folder PS_BIN.  Ends with 1 when it fails, by fail(text) if it did not say why."""
    path = os.path.join(os.environ["PS_BIN"], name) if os.environ.get("PS_BIN") else name
    try:
        p = subprocess.run([path, *arguments], input=text, stdout=subprocess.PIPE)
    except FileNotFoundError:
        fail("%s is not on PATH (PS_BIN=FOLDER says where the tools are)" % name)
    if p.returncode < 0:
        fail("%s died of signal %d" % (name, -p.returncode))
    if p.returncode:
        sys.exit(1)
    return p.stdout
