"""Reads a bank as docs/bank-format.md describes it, without any of the project's code but the program that built it.

usage: bank_format_twin.py MEMORY3_SYNTH MEMORY3_BANK
"""

import json
import pathlib
import struct
import subprocess
import sys
import tempfile

try:
    import xxhash
except ImportError:  # Debian's python3-xxhash; without it the two checksums of whole files are not compared
    xxhash = None

TEXTS = ["The first reference.", "Die zweite, etwas länger.", "第三段。"] + [f"Number {i}." for i in range(20)]


def crc_table():
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        yield crc


TABLE = list(crc_table())


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def build(synth, bank, folder):
    model, texts, out = folder / "model", folder / "texts.jsonl", folder / "bank"
    subprocess.run([synth, f"--out={model}", "--hidden=64", "--layers=4", "--heads=4", "--kv_heads=2", "--head_dim=16",
                    "--mlp=96", "--vocab=300", "--context=512"], check=True)
    lines = [json.dumps({"text": text, "id": i, "title": "T" if i % 2 else ""}) for i, text in enumerate(TEXTS)]
    texts.write_text("\n".join(lines), encoding="utf-8")
    subprocess.run([bank, "build", f"--model_dir={model}", f"--input={texts}", f"--out={out}", "--records_per_file=7",
                    "--epoch=3"], check=True, stderr=subprocess.DEVNULL)
    return out


def read_manifest(bank):
    text = (bank / "MANIFEST").read_bytes()
    fields, files = {}, {}
    for line in text.decode().splitlines():
        key, value = line.split(" ", 1)
        if key == "file":
            name, size, checksum = value.split(" ")
            files[name] = (int(size), checksum)
        else:
            fields[key] = value
    if xxhash:
        body = text[:text.rindex(b"checksum ")]
        assert fields["checksum"] == xxhash.xxh3_64_hexdigest(body)
    return fields, files


def check_files(bank, files):
    for name, (size, checksum) in files.items():
        data = (bank / name).read_bytes()
        assert len(data) == size, name
        if name.startswith("records-"):
            assert checksum == "0" * 16, name
        elif xxhash:
            assert xxhash.xxh3_64_hexdigest(data) == checksum, name
    found = {path.relative_to(bank).as_posix() for path in bank.rglob("*") if path.is_file()}
    assert found == set(files) | {"MANIFEST"}, found


def check_records(bank, fields):
    count, per_file, size = int(fields["count"]), int(fields["records_per_file"]), int(fields["record_bytes"])
    shape = [int(fields[key]) for key in ("memory_layers", "kv_heads", "kept_tokens", "head_dim")]
    used = 2 * 2 * shape[0] * shape[1] * shape[2] * shape[3]
    assert size == -(-used // 4096) * 4096
    table = (bank / "records.table").read_bytes()
    assert len(table) == 8 * count
    for i in range(count):
        tokens, crc = struct.unpack_from("<II", table, 8 * i)
        assert 1 <= tokens <= shape[2]
        file = (bank / f"records-{i // per_file:05d}.bin").read_bytes()
        record = file[i % per_file * size:][:size]
        assert crc32c(struct.pack("<QI", i, tokens) + record) == crc, i
        assert not any(record[used:]) and any(record[:used]), i


def check_texts(bank, count):
    texts = (bank / "texts.jsonl").read_bytes()
    offsets = struct.unpack(f"<{count + 1}Q", (bank / "texts.offsets").read_bytes())
    assert offsets[0] == 0 and offsets[-1] == len(texts)
    for i in range(count):
        line = texts[offsets[i]:offsets[i + 1]]
        assert line.endswith(b"\n")
        reference = json.loads(line)
        assert reference["text"] == TEXTS[i] and reference["source_id"] == str(i)
        assert reference.get("title", "") == ("T" if i % 2 else "")
        assert reference["tokens"] > 0


def main(synth, program):
    assert crc32c(b"123456789") == 0xE3069283
    with tempfile.TemporaryDirectory() as folder:
        bank = build(synth, program, pathlib.Path(folder))
        fields, files = read_manifest(bank)
        assert fields["memory3-bank"] == "1" and fields["epoch"] == "3" and fields["dtype"] == "BF16"
        assert int(fields["count"]) == len(TEXTS)
        check_files(bank, files)
        check_records(bank, fields)
        check_texts(bank, len(TEXTS))


if __name__ == "__main__":
    main(*sys.argv[1:])
