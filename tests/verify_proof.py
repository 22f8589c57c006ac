#!/usr/bin/env python3
"""Checks a tanhui proof, and the log's published files, with nothing of ours: Python's hashlib and the openssl command.

    tests/verify_proof.py PROOF.json PUBLIC_KEY        exit 0 when it holds, 1 with the reason when it does not

What is written where: src/journal/proof.h (the document), record_bytes.h (a record's bytes), entry.h (the log's entries), note.h (signed
notes, C2SP signed-note), core/merkle.h (RFC 6962). This file follows those descriptions, not that code.
"""
import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile


class Wrong(Exception):
    pass


def require(holds, why):
    if not holds:
        raise Wrong(why)


def load(text):
    """JSON in which no object names a member twice: readers differ in which of the two they believe."""
    def members(pairs):
        require(len({name for name, _ in pairs}) == len(pairs), "a member is named twice")
        return dict(pairs)

    return json.loads(text, object_pairs_hook=members)


def only(value, names):
    extra = sorted(set(value) - set(names.split()))
    require(not extra, f"members that do not belong there: {', '.join(extra)}")


def decode(text):
    """Strict base64: one way to write the bytes. Python alone lets the unused bits of the last letter be anything."""
    data = base64.b64decode(text, validate=True)
    require(base64.b64encode(data).decode() == text, "base64 that is not written in the one way")
    return data


# ---- RFC 6962 ------------------------------------------------------------------------------------------------------------------------

def leaf_hash(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def tree_root(hashes):
    if not hashes:
        return hashlib.sha256(b"").digest()
    while len(hashes) > 1:  # pair up; an odd one waits for the next level, which is the same tree
        hashes = [node_hash(*hashes[i:i + 2]) if i + 1 < len(hashes) else hashes[i] for i in range(0, len(hashes), 2)]
    return hashes[0]


def root_by_path(leaf, index, size, path):
    """RFC 9162, 2.1.3.2."""
    require(0 <= index < size, "the index is outside the tree")
    at, last, hash_ = index, size - 1, leaf
    for step in path:
        require(last > 0, "the path is too long")
        if at & 1 or at == last:
            hash_ = node_hash(step, hash_)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            hash_ = node_hash(hash_, step)
        at, last = at >> 1, last >> 1
    require(last == 0, "the path is too short")
    return hash_


# ---- signed notes ----------------------------------------------------------------------------------------------------------------------

def parse_key(text):
    name, key_id, blob = text.strip().split("+", 2)
    raw = decode(blob)
    require(raw[0] == 1 and len(raw) == 33, "not an Ed25519 key of a log")
    require(hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4].hex() == key_id, "the key's id is not its own")
    return name, bytes.fromhex(key_id), raw[1:]


def ed25519(public, message, signature):
    """By the openssl command."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("key", "message", "signature")]
        der = bytes.fromhex("302a300506032b6570032100") + public
        for path, content in zip(paths, (der, message, signature)):
            with open(path, "wb") as out:
                out.write(content)
        return subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", paths[0], "-rawin", "-in", paths[1],
                               "-sigfile", paths[2]], capture_output=True).returncode == 0


def signed_by(note, key):
    name, key_id, public = parse_key(key)
    text, lines = note.rsplit("\n\n", 1)
    for line in lines.splitlines():
        dash, signer, blob = line.split(" ", 2)
        raw = decode(blob)
        if dash == "\u2014" and signer == name and raw[:4] == key_id:
            require(ed25519(public, (text + "\n").encode(), raw[4:]), "a signature is wrong")
            return True
    return False


def checkpoint(note):
    origin, size, root = note.split("\n")[:3]
    return origin, int(size), decode(root)


# ---- records ---------------------------------------------------------------------------------------------------------------------------

WORDS = ["activity", "source", "region", "methodology", "evidence", "outcome", "reason", "winner_source"]


def parse_record(data):
    at = 0

    def take(count):
        nonlocal at
        require(at + count <= len(data), "a record's bytes end too early")
        at += count
        return data[at - count:at]

    def varint():
        value, shift = 0, 0
        while True:
            byte = take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def zigzag():
        value = varint()
        return value >> 1 ^ -(value & 1)

    require(take(1) == b"\1", "a record of another version")
    record = {word: take(varint()).decode() for word in WORDS}
    record["person"] = take(16).hex()
    record["start_ms"] = int.from_bytes(take(8), "big", signed=True)
    record["event"] = take(8).hex()
    record["revision"] = varint()
    present = take(1)[0]
    record["duration_ms"] = zigzag() if present & 1 else None
    record["quantities"] = [zigzag() if present & 2 << i else None for i in range(4)]
    record["object"] = take(8).hex() if present & 32 else None
    record["winner"] = take(8).hex() if present & 64 else None
    record["line"] = varint() if present & 128 else None
    record["milligrams"] = zigzag()
    record["points"] = zigzag()
    require(at == len(data), "a record's bytes go on")
    for word in ("methodology", "winner_source"):
        record[word] = record[word] or None
    return record


def record_bytes(record):
    """The other way, to hash rows that were read from Parquet."""
    def varint(value):
        out = b""
        while value >= 0x80:
            out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
        return out + bytes([value])

    def zigzag(value):
        return varint(value << 1 if value >= 0 else (-value << 1) - 1)

    out = b"\1"
    for word in WORDS:
        text = (record[word] or "").encode()
        out += varint(len(text)) + text
    out += bytes.fromhex(record["person"]) + record["start_ms"].to_bytes(8, "big", signed=True) + bytes.fromhex(record["event"])
    optional = [record["duration_ms"], *record["quantities"]]
    keys = [record["object"], record["winner"]]
    present = sum(1 << i for i, value in enumerate(optional) if value is not None)
    present |= sum(32 << i for i, value in enumerate(keys) if value is not None) | (128 if record["line"] is not None else 0)
    out += varint(record["revision"]) + bytes([present])
    out += b"".join(zigzag(value) for value in optional if value is not None)
    out += b"".join(bytes.fromhex(value) for value in keys if value is not None)
    if record["line"] is not None:
        out += varint(record["line"])
    return out + zigzag(record["milligrams"]) + zigzag(record["points"])


# ---- the proof -------------------------------------------------------------------------------------------------------------------------

def in_log(one, note):
    _, size, root = checkpoint(note)
    entry = one["entry"].encode()
    path = [decode(step) for step in one["log_path"]]
    require(root_by_path(leaf_hash(entry), one["log_index"], size, path) == root, "an entry is not in the log")
    return load(entry)


def verify(document, key):
    """The records that the proof proves; raises Wrong."""
    only(document, "format version records checkpoint keys")
    for change in document["keys"]:
        only(change, "entry log_index log_path checkpoint")
    for one in document["records"]:
        only(one, "record bytes index path entry log_index log_path")
        only(one["record"], "programme day run person start start_ms duration_ms activity source event object region evidence quantities "
                            "methodology outcome reason milligrams points winner winner_source revision line")
    require(document["format"] == "tanhui-proof" and document["version"] == 1, "not a proof of this version")
    note, trusted = document["checkpoint"], key
    for change in document["keys"]:
        entry = load(change["entry"])
        if signed_by(note, trusted) or entry["replaces"] != trusted:
            continue
        require(signed_by(change["checkpoint"], trusted), "a change of keys is not signed by the key before")
        require(in_log(change, change["checkpoint"])["type"] == "tanhui/key", "not a change of keys")
        trusted = entry["key"]
    require(signed_by(note, trusted), "the checkpoint is not signed by the log")
    require(checkpoint(note)[0] == parse_key(key)[0], "the checkpoint is of another log")
    proven, places = [], set()
    for one in document["records"]:
        segment = in_log(one, note)
        require(segment["type"] == "tanhui/segment", "not the entry of a segment")
        data = decode(one["bytes"])
        path = [decode(step) for step in one["path"]]
        root = root_by_path(leaf_hash(data), one["index"], segment["records"], path)
        require(root.hex() == segment["root"], "a record is not in its segment")
        place = one["log_index"], one["index"]
        require(place not in places, "a record is in it twice")
        places.add(place)
        record = parse_record(data)
        for name, value in record.items():
            require(one["record"][name] == value, f"'{name}' is not what the record's bytes say")
        proven.append(record)
    return proven


def main():
    if len(sys.argv) != 3:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    try:
        with open(sys.argv[1], encoding="utf-8") as proof:
            records = verify(load(proof.read()), sys.argv[2].strip())
    except (Wrong, KeyError, ValueError, TypeError, IndexError) as problem:
        print(f"the proof does not hold: {problem}", file=sys.stderr)
        return 1
    print(f"holds: {len(records)} records, {sum(record['milligrams'] for record in records)} mg CO2e")
    return 0


if __name__ == "__main__":
    sys.exit(main())
