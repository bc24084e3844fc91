"""psout - what psplot and psreport write, complete or not at all, and the tools that they run."""
import os
import re
import signal
import subprocess
import sys
import tempfile


def write(path, data):
    """Bytes to a file, whose name has them all or stays what it was; None: to standard output.  OSError, with the name, if not."""
    try:
        put(path, data)
    except OSError as e:
        raise OSError(e.errno, e.strerror, path or "<stdout>") from None


def descriptor_of(path):
    """Of standard output and of /dev/stdout and such links, which are not to be replaced by a file; None: another path."""
    link = "/proc/self/fd/1" if path is None else os.readlink(path) if os.path.islink(path) else ""
    found = re.fullmatch("/proc/self/fd/([0-9]+)", link)
    return int(found[1]) if found else None


def put(path, data):
    fd = descriptor_of(path)
    if fd is not None or (os.path.exists(path) and not os.path.isfile(path)):  # a pipe, a device
        with open(path, "wb") if fd is None else os.fdopen(os.dup(fd), "wb") as f:
            f.write(data)
        return
    for number in (signal.SIGTERM, signal.SIGHUP):  # as SIGINT: nothing is left behind
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, lambda number, _: sys.exit(128 + number))
    folder, name = os.path.split(os.path.abspath(path))
    with tempfile.NamedTemporaryFile(dir=folder, prefix="." + name + ".", delete=False) as f:
        try:
            f.write(data)
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
