"""psout - what psplot and psreport write, complete or not at all, and the tools that they run."""
import os
import subprocess
import sys
import tempfile


def write(path, data):
    """Bytes to a file, whose name has them all or stays what it was; None: to standard output.  OSError, with the name, if not."""
    try:
        put(path, data)
    except OSError as e:
        raise OSError(e.errno, e.strerror, path or "<stdout>") from None


def put(path, data):
    if path is None or (os.path.exists(path) and not os.path.isfile(path)):  # a pipe, a device
        with open(path, "wb") if path else os.fdopen(os.dup(1), "wb") as f:
            f.write(data)
        return
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
