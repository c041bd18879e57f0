"""The corpora: what becomes of a package's files, how they are chosen and mixed, and the folder they go to.

The packages here are made up; nothing is fetched.
"""

import gzip
import io
import itertools
import json
import shutil
import subprocess
import tarfile
import tomllib
import zipfile
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpetok_bench import corpora, corpus, debian

GREEK = "Η γρήγορη καφέ αλεπού πηδά πάνω από το τεμπέλικο σκυλί, και {} φορές την ημέρα. "
THAI = "สุนัขจิ้งจอกสีน้ำตาลกระโดดข้ามสุนัขขี้เกียจ {} ครั้งต่อวัน "
GERMAN = "Der schnelle braune Fuchs springt {} Mal am Tag über den faulen Hund. "
ENGLISH = "The quick brown fox jumps over the lazy dog {} times in a day, and is proud of it. "


def document(part, source, size):
    return corpora.Document(part, source, b"x" * size)


# ---- text ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("a.txt", b"one\r\ntwo\n", "one\ntwo"),
        ("a.txt.gz", gzip.compress("zwölf\n".encode(), mtime=0), "zwölf"),
        (
            "a.html",
            b"<head><title>no</title></head><script>x < 1</script>\n  <p>a &lt;b&gt;\n\n\n\n  c</p>",
            "a <b>\n\nc",
        ),
        (
            "a.page.gz",
            gzip.compress(b"<p>see <link href='x'>this</link><!-- not this --></p>", mtime=0),
            "see this",
        ),
        ("a.ftl", b"# licence\nopen-file = Datei\n    .label = Auf\n", "Datei\nAuf"),
        ("a.properties", b"tools.open=Werkzeug = gut\n", "Werkzeug = gut"),
        ("a.html", b"caf\xe9", ""),
        ("a", b"a\0b", ""),
    ],
)
def test_text_of_a_file(name, data, text):
    assert corpora.text_of(name, data) == text


@given(st.lists(st.integers(0, 70_000), max_size=8))
def test_documents_are_a_text_cut_at_line_ends(lengths):
    text = "\n".join("é" * (length // 2) for length in lengths)
    parts = list(corpora.cut(text))
    assert b"".join(parts).decode() == text
    assert all(part.endswith(b"\n") for part in parts[:-1])
    assert all(len(part) <= corpora.DOCUMENT or part.count(b"\n") <= 1 for part in parts)
    for one, following in itertools.pairwise(parts):
        assert len(one) + following.find(b"\n") + 1 > corpora.DOCUMENT or b"\n" not in following


@pytest.mark.parametrize(
    ("char", "script"),
    [("a", "Latin"), ("ß", "Latin"), ("д", "Cyrillic"), ("中", "Han"), ("の", "Kana"), ("カ", "Kana"),
     ("ー", "Kana"), ("한", "Hangul"), ("ཀ", "Tibetan"), ("ไ", "Thai"), ("़", "Devanagari"), ("1", ""),
     (" ", ""), ("👍", ""), ("\u0301", "")],
)  # fmt: skip
def test_script_of_a_letter(char, script):
    assert corpora.script(char) == script


def test_the_part_of_multilingual_text_is_its_script_and_english_is_left_out():
    for text, part in ((GREEK, "Greek"), (THAI, "Thai"), (GERMAN, "Latin"), (ENGLISH, None), ("1 + 1", None)):
        assert corpora.part_of("multilingual", "a.html", text * 20) == part
    assert corpora.part_of("english", "a.html", ENGLISH) == "English"
    assert corpora.part_of("code", "usr/a.hpp.gz", "") == "C++"
    assert corpora.part_of("code", "usr/README", "") is None


# ---- choosing and mixing ---------------------------------------------------------------------------


@given(st.lists(st.integers(0, 1000), min_size=1), st.integers(0, 5000))
def test_the_level_is_the_highest_that_fits(sizes, total):
    found = corpora.level(sizes, total)
    assert sum(min(size, found) for size in sizes) <= total
    assert found == max(sizes) or sum(min(size, found + 1) for size in sizes) > total


def test_no_part_and_no_package_dominates():
    found = [document("big", f"p{n % 2}", 10) for n in range(1000)]
    found += [document("big", "small", 10) for _ in range(5)] + [document("rare", "p0", 10) for _ in range(7)]
    chosen = Counter((each.part, each.source) for group in corpora.choose(found, 1000) for each in group)
    assert chosen["rare", "p0"] == 7
    assert chosen["big", "small"] == 5
    assert chosen["big", "p0"] == chosen["big", "p1"] == 44  # half of 1000 - 70 - 50 bytes


def test_any_stretch_of_the_mixture_has_a_share_of_everything():
    groups = [
        [document(name, "", size)] * n for name, size, n in (("a", 30, 400), ("b", 10, 600), ("c", 5, 100))
    ]
    mixed = list(corpora.mix(groups))
    assert Counter(mixed) == Counter(each for group in groups for each in group)
    for start in range(0, len(mixed), 110):
        found = Counter(each.part for each in mixed[start : start + 110])
        assert (found["a"], found["b"], found["c"]) == pytest.approx((40, 60, 10), abs=2)


# ---- packages --------------------------------------------------------------------------------------


def test_what_apt_knows(monkeypatch):
    shown = (
        "Package: one\nVersion: 4:7.4.7-1+deb12u14\nArchitecture: all\nDescription: x\n Version: no\n"
        "SHA256: ab\n\n"
        "Package: virtual\n\n"
        "Package: two\nArchitecture: amd64\nVersion: 1~rc2\nSHA256: cd\n"
    )
    monkeypatch.setattr(debian, "command", lambda *_, **__: shown)
    assert debian.known(["one", "virtual", "two", "three"]) == {
        "one": debian.Package("one", "4:7.4.7-1+deb12u14", "one_4%3a7.4.7-1+deb12u14_all.deb", "ab"),
        "two": debian.Package("two", "1~rc2", "two_1~rc2_amd64.deb", "cd"),
    }


def test_only_what_is_not_there_is_fetched_and_it_must_be_as_announced(monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(debian, "command", lambda *arguments, **_: calls.append(arguments))
    here = debian.Package("here", "1", "here.deb", debian.file_hash(_put(tmp_path / "here.deb", b"content")))
    debian.download([here], tmp_path)
    assert calls == []
    _put(tmp_path / "changed.deb", b"other content")
    changed = here._replace(name="changed", file="changed.deb")
    missing = here._replace(name="missing", file="missing.deb", version="2")
    with pytest.raises(debian.PackageError, match="not as announced: changed, missing"):
        debian.download([here, changed, missing], tmp_path)
    assert calls == [("apt-get", "-q", "download", "changed=1", "missing=2")]


def test_a_command_that_fails_says_what_to_do():
    with pytest.raises(debian.PackageError, match=r"sh -c .* failed; .*apt-get update.*E: no such thing"):
        debian.command("sh", "-c", "echo W: not this >&2; echo E: no such thing >&2; exit 100")


def test_a_machine_without_apt_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda tool: "/bin/dpkg-deb" if tool == "dpkg-deb" else None)
    with pytest.raises(debian.PackageError, match=r"apt-cache, apt-get not found.*--files"):
        corpora.build(tmp_path)


def _put(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def _tar(files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb is not installed")
def test_files_of_a_package_and_of_archives_in_it(tmp_path):
    tree = tmp_path / "tree"
    _put(
        tree / "DEBIAN" / "control",
        b"Package: p\nVersion: 1\nArchitecture: all\nMaintainer: m\nDescription: d\n",
    )
    _put(tree / "usr/share/doc/p/a.html.gz", b"a")
    _put(tree / "usr/share/doc/p/b.js", b"b")
    _put(tree / "usr/share/doc/p/b.min.js", b"small")
    _put(tree / "usr/src/c.tar.xz", _tar({"c/main.c": b"c", "c/Makefile": b"no"}))
    (tree / "usr/link.html").symlink_to("share/doc/p/a.html.gz")
    with zipfile.ZipFile(tree / "usr/d.xpi", "w") as packed:
        packed.writestr("de/d.ftl", "d")
        packed.writestr("de/d.css", "no")
    package = tmp_path / "p.deb"
    subprocess.run(["dpkg-deb", "--build", tree, package], check=True, capture_output=True)
    patterns = ["*/doc/*.html", "*.js", "*.tar.xz!*.c", "*.xpi!*.ftl"]
    assert dict(debian.members(package, patterns)) == {
        "usr/share/doc/p/a.html.gz": b"a",
        "usr/share/doc/p/b.js": b"b",
        "c/main.c": b"c",
        "de/d.ftl": b"d",
    }
    with pytest.raises(debian.PackageError, match=r"no\.deb cannot be read"):
        list(debian.members(_put(tmp_path / "no.deb", b"no package"), patterns))


def test_the_list_of_packages_can_be_used():
    listed = tomllib.loads(corpora.LISTED.read_text("utf-8"))
    assert tuple(sorted(listed)) == corpus.KINDS
    for packages in listed.values():
        assert all(
            patterns and all(isinstance(each, str) for each in patterns) for patterns in packages.values()
        )
    named = {pattern.rpartition(".")[2] for patterns in listed["code"].values() for pattern in patterns}
    assert named == corpora.LANGUAGE_OF.keys()


# ---- the folder ------------------------------------------------------------------------------------

FILES = {
    "doc": {f"doc/{n}.html": f"<p>{ENGLISH.format(n) * 3}</p>".encode() for n in range(40)},
    "l10n": {
        **{f"el/{n}.html": (GREEK.format(n) * 5).encode() for n in range(30)},
        **{f"th/{n}.html": (THAI.format(n) * 5).encode() for n in range(2)},
        "en/again.html": (ENGLISH * 5).encode(),
    },
    "source": {"a.py": b"import sys\n" * 90, "b.py": b"import sys\n" * 90, "short.py": b"x = 1\n"},
}
LISTED = """
[english]
doc = ["*"]
[code]
source = ["*"]
[multilingual]
l10n = ["*"]
missing = ["*"]
"""


@pytest.fixture
def build(monkeypatch, tmp_path):
    """Build corpora from the files above."""
    packages = {name: debian.Package(name, "1", f"{name}.deb", "") for name in FILES}
    monkeypatch.setattr(debian, "require_tools", lambda: None)
    monkeypatch.setattr(
        debian, "known", lambda names: {name: packages[name] for name in names if name in FILES}
    )
    monkeypatch.setattr(debian, "download", lambda packages, folder: None)
    monkeypatch.setattr(debian, "members", lambda path, patterns: iter(FILES[path.stem].items()))
    listed = _put(tmp_path / "listed.toml", LISTED.encode())
    said = []

    def run(folder, target=5000):
        return corpora.build(folder, target=target, listed=listed, say=said.append), said

    return run


def test_a_build_is_what_its_manifest_says(build, tmp_path):
    manifest, said = build(tmp_path / "new" / "folder")
    assert manifest == corpora.check(tmp_path / "new" / "folder")
    assert manifest["packages"] == {"doc": "1", "l10n": "1", "source": "1"}
    assert manifest["missing"] == ["missing"]
    assert any(line.endswith("passed over: missing") for line in said)
    assert any(line.startswith("code: ") and "less than the 5,000" in line for line in said)
    assert not any(line.startswith("english: ") and "less than" in line for line in said)
    about = manifest["corpora"]
    assert about["code"]["parts"] == {"Python": 990}  # once, and nothing too short
    assert about["code"]["documents"] == 1
    assert about["english"]["sources"] == {"doc": about["english"]["bytes"]}
    parts = about["multilingual"]["parts"]
    assert parts.keys() == {"Greek", "Thai"}
    assert parts["Thai"] == sum(len(f"{THAI.format(n) * 5}\n".encode()) for n in range(2))
    assert 0.85 * 5000 < about["multilingual"]["bytes"] <= 5000
    assert sum(about["multilingual"]["script_shares"].values()) == pytest.approx(1, abs=0.001)


def test_the_same_packages_give_the_same_bytes(build, tmp_path):
    assert build(tmp_path / "a") == build(tmp_path / "b")
    assert build(tmp_path / "c", target=4000)[0] != build(tmp_path / "a")[0]


def test_files_that_changed_or_are_missing_are_found(build, tmp_path):
    with pytest.raises(corpora.CorporaError, match="holds no corpora: build them"):
        corpora.check(tmp_path)
    build(tmp_path)
    path = corpus.built_file(tmp_path, "english")
    path.write_bytes(path.read_bytes()[1:])
    with pytest.raises(corpora.CorporaError, match=r"english\.jsonl is not what manifest\.json says"):
        corpora.check(tmp_path)
    path.unlink()
    with pytest.raises(corpora.CorporaError, match=r"english\.jsonl"):
        corpora.check(tmp_path)


def test_a_build_that_breaks_off_leaves_no_corpora(build, monkeypatch, tmp_path):
    build(tmp_path)

    def fail(path, patterns):
        raise debian.PackageError("broken")

    monkeypatch.setattr(debian, "members", fail)
    with pytest.raises(debian.PackageError):
        build(tmp_path)
    with pytest.raises(corpora.CorporaError):
        corpora.check(tmp_path)


# ---- text to measure on ----------------------------------------------------------------------------


def test_built_text_is_read_in_order_and_as_much_as_is_wanted(build, monkeypatch, tmp_path):
    folder = tmp_path / "built"
    build(folder)
    lines = corpus.built_file(folder, "english").read_bytes().splitlines()
    written = [json.loads(line)["text"] for line in lines]
    found = corpus.build("english", 10**9, folder=folder)
    assert found.texts == tuple(written)
    assert (found.source, found.n_bytes) == ("built", len("".join(written)))
    assert found.describe()["manifest_sha256"] == debian.file_hash(folder / "manifest.json")
    assert corpus.build("english", 1, folder=folder).texts == tuple(written[:1])
    monkeypatch.setenv("BPETOK_BENCH_CORPORA", str(folder))
    assert corpus.build("english", 10**9) == found
    assert corpus.build("given", 10**9, [folder / "manifest.json"]).describe()["source"] == "given"


def test_where_nothing_is_built_the_machine_has_text(monkeypatch, tmp_path):
    monkeypatch.delenv("BPETOK_BENCH_CORPORA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = corpus.build("code", 1000)
    assert found.describe().keys() == {"source", "bytes", "texts", "sha256"}
    assert found.source == "machine"
    assert corpus.default_folder() == tmp_path / "bpetok" / "corpora"
    with pytest.raises(ValueError, match="holds no corpora: build them with `bpetok bench corpora --to"):
        corpus.build("code", 1000, folder=tmp_path)
    with pytest.raises(ValueError, match="no kind of text is called 'poetry'"):
        corpus.build("poetry", 1000)


def test_a_file_that_is_named_may_be_large(tmp_path):
    large = _put(tmp_path / "folder" / "large.txt", b"x" * (corpus.MOST_BYTES + 1))
    assert corpus.build("given", 10, [large]).n_bytes == corpus.MOST_BYTES + 1
    assert corpus.build("given", 10, [large.parent]).n_bytes == 0
