"""Bundles: written whole or not at all, opened only where every byte is as it was written."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iatros.core import manifest as manifest_module
from iatros.core import storage
from iatros.core.arrays import plain
from iatros.core.bundle import (
    FORMAT,
    BundleDraft,
    list_bundles,
    open_bundle,
    pack_arrays,
    unpack_arrays,
    verify_bundle,
    write_bundle,
)
from iatros.core.errors import (
    BundleError,
    BundleFormatError,
    ConflictError,
    LimitError,
    NotABundleError,
    StorageError,
    TamperedBundleError,
    UnknownNameError,
)

MANIFEST, SEAL = "manifest.json", "manifest.json.sha256"


def draft(model: str = "forest", weights: bytes = b"weights" * 100) -> BundleDraft:
    return BundleDraft(
        manifest={
            "domain": "risk",
            "model": model,
            "task": "binary",
            "created": {"at": "2026-11-24T10:00:00Z"},
        },
        files={"model.onnx": weights, "members/arrays.safetensors": pack_arrays({"coef": np.arange(3.0)})},
        documents={"report.html": b"<html></html>"},
    )


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(draft(), tmp_path / "heart")


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def reseal(bundle: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest and make its seal agree, as an attacker would."""
    document = json.loads((bundle / MANIFEST).read_bytes())
    change(document)
    raw = json.dumps(document).encode()
    (bundle / MANIFEST).write_bytes(raw)
    (bundle / SEAL).write_text(f"{hashlib.sha256(raw).hexdigest()}  {MANIFEST}\n")


# what is written is what is read


def test_round_trip(bundle: Path) -> None:
    opened = open_bundle(bundle)
    assert opened.name == "heart"
    assert opened.manifest["format"] == FORMAT
    assert opened.manifest["model"] == "forest"
    assert opened.read("model.onnx") == b"weights" * 100
    assert opened.read("report.html") == b"<html></html>"
    assert unpack_arrays(opened.read("members/arrays.safetensors"))["coef"].tolist() == [0.0, 1.0, 2.0]
    assert opened.manifest["created"]["at"] == "2026-11-24T10:00:00Z"
    assert opened.parent_reference == {
        "name": "heart",
        "manifest_sha256": hashlib.sha256((bundle / MANIFEST).read_bytes()).hexdigest(),
    }


def test_a_bundle_opened_from_inside_has_its_name(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bundle)
    assert open_bundle(".").name == "heart"


def test_coreutils_agree_with_the_seal(bundle: Path) -> None:
    if shutil.which("sha256sum") is None:
        pytest.skip("sha256sum is not installed")
    done = subprocess.run(["sha256sum", "-c", SEAL], cwd=bundle, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_same_draft_gives_the_same_bytes(tmp_path: Path) -> None:
    one = snapshot(write_bundle(draft(), tmp_path / "a"))
    assert one == snapshot(write_bundle(draft(), tmp_path / "b"))


def test_documents_do_not_touch_the_rest_of_the_manifest(tmp_path: Path) -> None:
    first, second = draft(), draft()
    second.documents["report.html"] = b"<html>another day</html>"
    manifests = [
        open_bundle(write_bundle(d, tmp_path / n)).manifest for d, n in ((first, "a"), (second, "b"))
    ]
    created = [manifest.pop("created") for manifest in manifests]
    assert manifests[0] == manifests[1]
    assert created[0] != created[1]


def test_verify_lists_every_file(bundle: Path) -> None:
    found = verify_bundle(bundle)
    assert [file["name"] for file in found["files"]] == [
        "members/arrays.safetensors",
        "model.onnx",
        "report.html",
    ]
    assert found["valid"] is True
    assert found["bytes"] == sum(file["bytes"] for file in found["files"])


def test_an_unknown_file_is_named_with_its_neighbours(bundle: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"model\.onnx"):
        open_bundle(bundle).read("model.onx")


def test_manifest_may_hold_numpy_and_not_a_number(tmp_path: Path) -> None:
    odd = draft()
    odd.manifest["metrics"] = {
        "auroc": np.float64(0.5),
        "low": float("nan"),
        "n": np.int64(3),
        "at": (1, np.inf),
    }
    found = open_bundle(write_bundle(odd, tmp_path / "odd")).manifest["metrics"]
    assert found == {"auroc": 0.5, "low": None, "n": 3, "at": [1, None]}


# nothing but a bundle is opened


def test_nothing_there_suggests_a_neighbour(bundle: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean heart"):
        open_bundle(bundle.parent / "hearts")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_is_refused_and_never_run(tmp_path: Path, protocol: int) -> None:
    canary = tmp_path / "canary"

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (canary,))

    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(Evil(), protocol=protocol))
    with pytest.raises(NotABundleError, match="pickle, which iatros never opens"):
        open_bundle(path)
    folder = tmp_path / "folder"
    folder.mkdir()
    path.rename(folder / "model.pkl")
    with pytest.raises(NotABundleError, match="pickles, which iatros never opens"):
        open_bundle(folder)
    assert not canary.exists()


@pytest.mark.parametrize(
    ("content", "said"), [(b"PK\x03\x04zip", "an archive"), (b"", "a file"), (b"a,b\n1,2\n", "a file")]
)
def test_a_file_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "thing"
    path.write_bytes(content)
    with pytest.raises(NotABundleError, match=said):
        open_bundle(path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotABundleError, match=MANIFEST):
        open_bundle(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"format": "1"}',
        b'{"format": true}',
        b'{"format": 0}',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_another_manifest_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(NotABundleError):
        open_bundle(tmp_path)


@pytest.mark.parametrize("sealed", [True, False])
def test_a_newer_format_says_so(bundle: Path, sealed: bool) -> None:
    reseal(bundle, lambda document: document.update(format=FORMAT + 1, iatros="9.0", files="another shape"))
    if not sealed:
        (bundle / SEAL).unlink()
    with pytest.raises(BundleFormatError, match=f"format {FORMAT + 1}.*up to {FORMAT}.*update iatros.*9.0"):
        open_bundle(bundle)


def test_a_bundle_of_format_1_is_read_for_ever() -> None:
    """Written by version 0.1.0 and never changed since; when the format grows, this test stays."""
    opened = open_bundle(Path(__file__).parents[1] / "golden" / "bundle-format-1")
    assert opened.manifest["format"] == 1
    assert opened.manifest["metrics"]["held_out"]["auroc"]["value"] == 0.9
    assert unpack_arrays(opened.read("linear.safetensors"))["coef"].tolist() == [0.5, -1.25, 3.0]
    assert opened.manifest_sha256 == "7f14bc67a7e49158134eed4c9e8bba761b8b96a09fb6884b4d69b33216818436"


def test_a_folder_that_may_not_be_read(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("iatros.core.bundle.os.scandir", refuse)
    with pytest.raises(BundleError, match="Permission denied"):
        open_bundle(bundle)
    assert "Permission denied" in list_bundles(bundle.parent)[0]["reason"]


# tampering


def test_every_changed_byte_is_found(bundle: Path) -> None:
    """Each file, several places in each: a flipped bit is an error, and restoring it heals the bundle."""
    for name, content in snapshot(bundle).items():
        for place in {0, len(content) // 2, len(content) - 1}:
            changed = bytearray(content)
            changed[place] ^= 1
            (bundle / name).write_bytes(changed)
            with pytest.raises(TamperedBundleError):
                open_bundle(bundle)
        (bundle / name).write_bytes(content)
    open_bundle(bundle)


@pytest.mark.parametrize("name", ["model.onnx", "report.html", "members/arrays.safetensors", SEAL])
def test_a_missing_file_is_found(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    with pytest.raises(TamperedBundleError, match=f"{name.split('/')[-1]} is missing"):
        open_bundle(bundle)


@pytest.mark.parametrize("name", ["extra.bin", "members/extra.bin", "deep/er/extra.bin", ".hidden"])
def test_an_added_file_is_found(bundle: Path, name: str) -> None:
    (bundle / name).parent.mkdir(parents=True, exist_ok=True)
    (bundle / name).write_bytes(b"")
    with pytest.raises(TamperedBundleError, match="does not list"):
        open_bundle(bundle)


@pytest.mark.parametrize("change", [b"", b"more"])
def test_a_shorter_or_longer_file_is_found(bundle: Path, change: bytes) -> None:
    path = bundle / "model.onnx"
    path.write_bytes(path.read_bytes()[:-1] if not change else path.read_bytes() + change)
    with pytest.raises(TamperedBundleError):
        open_bundle(bundle)


@pytest.mark.parametrize(
    "name",
    ["../secret", "/etc/passwd", "a/../../secret", "a/./b", "", ".", "..", "a//b", "a\\..\\b", "C:\\x", "a\x00b",
     "a\nb", "-rf", ".hidden", MANIFEST, SEAL, "é", "x" * 300],
)  # fmt: skip
def test_a_name_that_leads_elsewhere_is_refused_even_when_sealed(bundle: Path, name: str) -> None:
    (bundle.parent / "secret").write_bytes(b"secret")
    entry = {"sha256": hashlib.sha256(b"secret").hexdigest(), "bytes": 6}
    reseal(bundle, lambda document: document["files"].update({name: entry}))
    with pytest.raises(TamperedBundleError, match="names a file"):
        open_bundle(bundle)
    broken = draft()
    broken.files[name] = b"secret"
    with pytest.raises(TamperedBundleError):
        write_bundle(broken, bundle.parent / "other")
    assert not (bundle.parent / "other").exists()


@pytest.mark.parametrize(
    "entry",
    [None, [], "x", {}, {"sha256": "0" * 64}, {"sha256": "0" * 63, "bytes": 1}, {"sha256": "G" * 64, "bytes": 1},
     {"sha256": "0" * 64, "bytes": -1}, {"sha256": "0" * 64, "bytes": True}, {"sha256": "0" * 64, "bytes": 1.0},
     {"sha256": "0" * 64, "bytes": 1, "url": "x"}],
)  # fmt: skip
def test_an_entry_of_another_shape_is_refused(bundle: Path, entry: Any) -> None:
    reseal(bundle, lambda document: document["files"].update({"model.onnx": entry}))
    with pytest.raises(TamperedBundleError, match=r"entry for model\.onnx"):
        open_bundle(bundle)


@pytest.mark.parametrize("key", ["files", "created"])
def test_a_manifest_without_its_lists_is_refused(bundle: Path, key: str) -> None:
    reseal(bundle, lambda document: document.update({key: None}))
    with pytest.raises(TamperedBundleError):
        open_bundle(bundle)


@pytest.mark.parametrize("name", ["model.onnx", MANIFEST, SEAL, "members", "extra"])
def test_links_are_never_followed(bundle: Path, tmp_path: Path, name: str) -> None:
    outside = tmp_path / "outside"
    if (bundle / name).exists():
        (bundle / name).rename(outside)
    else:
        outside.write_bytes(b"x")
    (bundle / name).symlink_to(outside)
    with pytest.raises(TamperedBundleError, match="link"):
        open_bundle(bundle)


def test_a_pipe_does_not_hang(bundle: Path) -> None:
    for name in ("model.onnx", MANIFEST):
        (bundle / name).unlink()
        os.mkfifo(bundle / name)
    with pytest.raises(BundleError):
        open_bundle(bundle)


def test_a_bundle_may_be_reached_by_a_link(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "latest").symlink_to(bundle)
    assert open_bundle(tmp_path / "latest").read("model.onnx")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    with pytest.raises(NotABundleError, match="leads nowhere"):
        open_bundle(tmp_path / "nowhere")


def test_a_change_after_opening_is_found(bundle: Path) -> None:
    opened = open_bundle(bundle)
    (bundle / "model.onnx").write_bytes(b"WEIGHTS" * 100)
    with pytest.raises(TamperedBundleError, match="after the bundle was opened"):
        opened.read("model.onnx")
    (bundle / "model.onnx").unlink()
    (bundle / "model.onnx").symlink_to("/etc/hostname")
    with pytest.raises(TamperedBundleError, match="link"):
        opened.read("model.onnx")


def test_limits(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value, error in (("MAX_FILES", 2, LimitError), ("MAX_BYTES", 100, LimitError)):
        with monkeypatch.context() as patch:
            patch.setattr(manifest_module, name, value)
            with pytest.raises(error):
                open_bundle(bundle)
    monkeypatch.setattr("iatros.core.bundle.MAX_MANIFEST_BYTES", 10)
    with pytest.raises(LimitError, match="manifest"):
        open_bundle(bundle)


def test_opening_loads_no_heavy_package(bundle: Path) -> None:
    code = (
        "import sys; from iatros.core.bundle import open_bundle, unpack_arrays; "
        f"b = open_bundle({str(bundle)!r}); unpack_arrays(b.read('members/arrays.safetensors')); "
        "print([m for m in ('torch', 'sklearn', 'scipy', 'pandas', 'polars', 'pickle5', 'onnx') if m in sys.modules])"
    )
    path = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.stdout.strip() == "[]"


# writing


def test_an_existing_bundle_is_kept_unless_told(bundle: Path) -> None:
    before = snapshot(bundle)
    with pytest.raises(ConflictError, match="there already"):
        write_bundle(draft("svm"), bundle)
    assert snapshot(bundle) == before
    write_bundle(draft("svm"), bundle, overwrite=True)
    assert open_bundle(bundle).manifest["model"] == "svm"
    assert [path.name for path in bundle.parent.iterdir()] == ["heart"]


def test_a_damaged_bundle_may_be_overwritten(bundle: Path) -> None:
    (bundle / "model.onnx").write_bytes(b"")
    write_bundle(draft("svm"), bundle, overwrite=True)
    assert open_bundle(bundle).manifest["model"] == "svm"


@pytest.mark.parametrize(
    "what", ["file", "folder", "empty folder", "bundle with notes", "link", "newer bundle"]
)
def test_what_is_not_only_a_bundle_is_never_overwritten(bundle: Path, tmp_path: Path, what: str) -> None:
    path = tmp_path / "place"
    if what == "file":
        path.write_text("thesis")
    elif what in ("folder", "empty folder"):
        path.mkdir()
        if what == "folder":
            (path / "thesis.txt").write_text("thesis")
    elif what == "link":
        path.symlink_to(bundle)
    else:
        shutil.copytree(bundle, path)
        if what == "newer bundle":
            reseal(path, lambda document: document.update(format=FORMAT + 1))
        else:
            (path / "notes.txt").write_text("mine")
    before = snapshot(tmp_path)
    with pytest.raises(ConflictError, match="not a bundle"):
        write_bundle(draft("svm"), path, overwrite=True)
    assert snapshot(tmp_path) == before


def test_parents_are_made_and_taken_back_on_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bundle(draft(), tmp_path / "a" / "b" / "heart")
    assert open_bundle(tmp_path / "a" / "b" / "heart")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage.os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        write_bundle(draft(), tmp_path / "c" / "d" / "heart")
    assert not (tmp_path / "c").exists()


def test_a_draft_without_domain_or_with_a_name_twice_is_a_bug(tmp_path: Path) -> None:
    with pytest.raises(NotABundleError):
        write_bundle(BundleDraft({}, {}), tmp_path / "x")
    with pytest.raises(ValueError, match="file and for a document"):
        write_bundle(BundleDraft({"domain": "a", "model": "b"}, {"x": b""}, {"x": b""}), tmp_path / "x")
    assert not (tmp_path / "x").exists()


FAULTS = {"full disk": OSError(28, "No space left on device"), "interrupt": KeyboardInterrupt()}


class FailingCall:
    """Lets calls through until the `k`-th, which raises `fault`; counts them over all functions that it wraps."""

    def __init__(self, k: int, fault: BaseException) -> None:
        self.k, self.fault, self.count = k, fault, 0

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.count += 1
            if self.count == self.k:
                raise self.fault
            return function(*args, **kwargs)

        return call


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
@pytest.mark.parametrize("exchange", [True, False], ids=["exchange", "two renames"])
def test_whatever_fails_the_old_bundle_stays_whole(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException, exchange: bool
) -> None:
    """Each system call of the writer fails in turn: the folder holds the old bundle or the new, nothing else."""
    old = snapshot(bundle)
    for k in range(1, 200):
        failing = FailingCall(k, fault)
        with monkeypatch.context() as patch:
            for name in ("fsync", "rename"):
                patch.setattr(storage.os, name, failing.wrap(getattr(os, name)))
            patch.setattr(Path, "mkdir", failing.wrap(Path.mkdir))
            patch.setattr(Path, "open", failing.wrap(Path.open))
            if not exchange:
                patch.setattr(storage, "_exchange", lambda *_: False)
            with contextlib.suppress(StorageError, ConflictError, KeyboardInterrupt, NotABundleError):
                write_bundle(draft("svm"), bundle, overwrite=True)
        assert [path.name for path in bundle.parent.iterdir()] == ["heart"]
        now = open_bundle(bundle).manifest["model"]
        if failing.count < k:  # nothing failed: every call has had its turn
            assert now == "svm"
            assert k > 8
            return
        if now == "svm":  # it failed after the new one was in place
            write_bundle(draft(), bundle, overwrite=True)
        assert snapshot(bundle) == old
    pytest.fail("the writer never got through")


def test_a_real_write_error(bundle: Path, tmp_path: Path) -> None:
    """The kernel itself refuses to write more (a file size limit): exit by StorageError, nothing changed."""
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from iatros.core.bundle import BundleDraft, write_bundle\n"
        "from iatros.core.errors import StorageError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, 2**16))\n"
        "draft = BundleDraft({'domain': 'risk', 'model': 'big'}, {'big.onnx': bytes(2**20)})\n"
        "try: write_bundle(draft, Path(sys.argv[1]), overwrite=True)\n"
        "except StorageError as error: print(error.exit_code, error)\n"
    )
    before = snapshot(tmp_path)
    done = run_python(code, str(bundle))
    assert done.stdout.startswith("7 "), done.stderr
    assert "File too large" in done.stdout
    assert snapshot(tmp_path) == before


def test_a_full_file_system(tmp_path: Path) -> None:
    """A real file system of 256 KiB, where this user may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = (
        subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode == 0
        if shutil.which("unshare")
        else False
    )
    if not mounted:
        pytest.skip("this user may not mount a file system")
    code = (
        "import sys; from pathlib import Path\n"
        "from iatros.core.bundle import BundleDraft, open_bundle, write_bundle\n"
        "from iatros.core.errors import StorageError\n"
        "place = Path(sys.argv[1]) / 'b'\n"
        "write_bundle(BundleDraft({'domain': 'risk', 'model': 'small'}, {'x.onnx': bytes(2**16)}), place)\n"
        "big = BundleDraft({'domain': 'risk', 'model': 'big'}, {'x.onnx': bytes(2**20)})\n"
        "try: write_bundle(big, place, overwrite=True)\n"
        "except StorageError as error: print(error.exit_code, error)\n"
        "print(open_bundle(place).manifest['model'], [p.name for p in place.parent.iterdir()])\n"
    )
    script = tmp_path / "fill.py"
    script.write_text(code)
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c",
         f"mount -t tmpfs -o size=256k none {disk} && exec {sys.executable} {script} {disk}"],
        capture_output=True, text=True, check=False, env=environment(),
    )  # fmt: skip
    if "mount" in done.stderr and done.returncode:
        pytest.skip("this user may not mount a file system")
    assert "7 " in done.stdout, done.stderr
    assert "No space left" in done.stdout
    assert "small ['b']" in done.stdout


def test_killed_while_writing(bundle: Path) -> None:
    """SIGKILL at any moment leaves one whole bundle under the name."""
    code = (
        "import sys; from pathlib import Path\n"
        "from iatros.core.bundle import BundleDraft, write_bundle\n"
        "print('ready', flush=True)\n"
        "for k in range(10**6):\n"
        "    files = {'a.onnx': bytes(2**18), 'b.onnx': bytes(k % 7)}\n"
        "    draft = BundleDraft({'domain': 'risk', 'model': str(k)}, files)\n"
        "    write_bundle(draft, Path(sys.argv[1]), overwrite=True)\n"
    )
    for pause in (0.01, 0.02, 0.05, 0.08):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(bundle)], stdout=subprocess.PIPE, env=environment()
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(pause)
        process.kill()
        process.wait()
        process.stdout.close()
        open_bundle(bundle)
    assert [found["name"] for found in list_bundles(bundle.parent)] == ["heart"]


def run_python(code: str, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, check=False, env=environment()
    )


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}


# listing


def test_listing_names_the_broken_ones_with_a_reason(bundle: Path, tmp_path: Path) -> None:
    write_bundle(draft("svm"), tmp_path / "broken")
    (tmp_path / "broken" / "model.onnx").write_bytes(b"")
    write_bundle(draft("mlp"), tmp_path / "newer")
    reseal(tmp_path / "newer", lambda document: document.update(format=99))
    (tmp_path / "not-a-bundle").mkdir()
    (tmp_path / "file.csv").write_text("a\n1\n")
    found = {summary["name"]: summary for summary in list_bundles(tmp_path)}
    assert list(found) == ["broken", "heart", "newer"]
    assert found["heart"]["valid"]
    assert found["heart"]["created_at"] == "2026-11-24T10:00:00Z"
    assert not found["broken"]["valid"]
    assert "differs from its hash" in found["broken"]["reason"]
    assert "format 99" in found["newer"]["reason"]
    with pytest.raises(UnknownNameError):
        list_bundles(tmp_path / "nowhere")


# arrays


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=6),
        st.tuples(
            st.sampled_from(["f8", "f4", "i8", "i4", "u1", "?"]),
            st.lists(st.integers(0, 4), max_size=3),
            st.booleans(),
        ),
        max_size=4,
    )
)
def test_arrays_round_trip(specs: dict[str, tuple[str, list[int], bool]]) -> None:
    rng = np.random.default_rng(0)
    arrays = {}
    for name, (kind, shape, transposed) in specs.items():
        array = (rng.random(shape) * 100).astype(kind)
        arrays[name] = array.T if transposed else array
    packed = pack_arrays(arrays)
    assert packed == pack_arrays(dict(reversed(arrays.items())))
    found = unpack_arrays(packed)
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert np.array_equal(found[name], array)
        assert found[name].flags.writeable


def test_arrays_of_text_or_objects_are_refused() -> None:
    for bad in (np.array(["a"]), np.array([{}], dtype=object), np.array(["2020"], dtype="M8[D]")):
        with pytest.raises(TypeError, match="only numbers and booleans"):
            pack_arrays({"bad": bad})


@pytest.mark.parametrize("content", [b"", b"x", b"\xff" * 100, pack_arrays({"a": np.arange(9.0)})[:-3]])
def test_broken_array_bytes_are_a_bundle_error(content: bytes) -> None:
    with pytest.raises(BundleError):
        unpack_arrays(content)


def test_plain() -> None:
    given = {1: np.array([[1.0, np.nan]]), "t": (np.bool_(True), None), "s": "x", "i": -np.inf}
    assert plain(given) == {"1": [[1.0, None]], "t": [True, None], "s": "x", "i": None}
    assert json.loads(json.dumps(plain(given), allow_nan=False)) == plain(given)
