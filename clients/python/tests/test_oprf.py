"""RFC 9497, appendix A.1.2 (VOPRF), RFC 9496 and RFC 9380 vectors, on libsodium and on the arithmetic in Python."""
import unittest

from tanhui_client import oprf

PUBLIC = bytes.fromhex("c803e2cc6b05fc15064549b5920659ca4a77b2cca6f04f6b357009335476ad4e")
INPUTS = [bytes.fromhex("00"), bytes.fromhex("5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a")]
BLINDS = [int.from_bytes(bytes.fromhex(text), "little") for text in (
    "64d37aed22a27f5191de1c1d69fadb899d8862b58eb4220029e036ec4c1f6706", "222a5e897cf59db8145db8d16e597e8facb80ae7d4e26d9881aa6f61d645fc0e")]
BLINDED = [bytes.fromhex(text) for text in (
    "863f330cc1a1259ed5a5998a23acfd37fb4351a793a5b3c090b642ddc439b945", "90a0145ea9da29254c3a56be4fe185465ebb3bf2a1801f7124bbbadac751e654")]
EVALUATED = [bytes.fromhex(text) for text in (
    "aa8fa048764d5623868679402ff6108d2521884fa138cd7f9c7669a9a014267e", "cc5ac221950a49ceaa73c8db41b82c20372a4c8d63e5dded2db920b7eee36a2a")]
PROOF = bytes.fromhex("cc203910175d786927eeb44ea847328047892ddf8590e723c37205cb74600b0a"
                      "5ab5337c8eb4ceae0494c2cf89529dcf94572ed267473d567aeed6ab873dee08")
OUTPUTS = ["b58cfbe118e0cb94d79b5fd6a6dafb98764dff49c14e1770b566e42402da1a7da4d8527693914139caee5bd03903af43a491351d23b430948dd50cde10d32b3c",
           "8a9a2f3c7f085b65933594309041fc1898d42d0858e59f90814ae90571a6df60356f4610bf816f27afdd84f47719e480906d27ecd994985890e5f539e7ea74b6"]


class Both(unittest.TestCase):
    """Each test on both implementations; without libsodium on one."""

    def each_group(self):
        groups = [oprf._PythonGroup()]
        if isinstance(oprf.group, oprf._SodiumGroup):
            groups.append(oprf.group)
        before = oprf.group
        try:
            for one in groups:
                oprf.group = one
                with self.subTest(type(one).__name__):
                    yield one
        finally:
            oprf.group = before


class Vectors(Both):
    def test_batch_of_rfc_9497(self):
        for _ in self.each_group():
            for data, blind, blinded, evaluated, output in zip(INPUTS, BLINDS, BLINDED, EVALUATED, OUTPUTS):
                self.assertEqual(oprf._blind(data, blind), blinded)
                self.assertEqual(oprf._finalize(data, blind, evaluated).hex(), output)
            self.assertTrue(oprf.verify(PUBLIC, BLINDED, EVALUATED, PROOF))

    def test_what_is_changed_is_found(self):
        for _ in self.each_group():
            self.assertFalse(oprf.verify(PUBLIC, BLINDED, EVALUATED[::-1], PROOF))
            self.assertFalse(oprf.verify(PUBLIC, BLINDED[:1], EVALUATED[:1], PROOF))
            self.assertFalse(oprf.verify(BLINDED[0], BLINDED, EVALUATED, PROOF))
            self.assertFalse(oprf.verify(PUBLIC, BLINDED, [EVALUATED[0], bytes(32)], PROOF))
            self.assertFalse(oprf.verify(PUBLIC, BLINDED, EVALUATED, bytes(64)))
            self.assertFalse(oprf.verify(PUBLIC, BLINDED, EVALUATED, bytes([PROOF[0] ^ 1]) + PROOF[1:]))
            self.assertFalse(oprf.verify(PUBLIC, [], [], PROOF))

    def test_expand_message_of_rfc_9380(self):
        dst = b"QUUX-V01-CS02-with-expander-SHA512-256"
        self.assertEqual(oprf.expand_message_xmd(b"abc", dst, 32).hex(), "0da749f12fbe5483eb066a5f595055679b976e93abe9be6f0f6318bce7aca8dc")

    def test_generator_and_bad_encodings_of_rfc_9496(self):
        for one in self.each_group():
            twice = one.multiply(2, oprf._GENERATOR)
            self.assertEqual(twice.hex(), "6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919")
            self.assertEqual(one.add(oprf._GENERATOR, oprf._GENERATOR), twice)
            for bad in ("00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "0100000000000000000000000000000000000000000000000000000000000000",
                        "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371"):
                self.assertFalse(one.is_element(bytes.fromhex(bad)), bad)


class Ids(unittest.TestCase):
    def test_one_way_to_write(self):
        for kind, text, written in [
                ("phone", "13800138000", "tel:+8613800138000"), ("phone", "0086 (138) 0013.8000", "tel:+8613800138000"),
                ("phone", "１３８００１３８０００", "tel:+8613800138000"), ("phone", "+852 9123 4567", "tel:+85291234567"),
                ("resident-id", "11010519491231002x", "cn-id:11010519491231002X"), ("resident-id", "110105491231002", "cn-id:11010519491231002X"),
                ("other", " 用户七 ", "other:用户七")]:
            self.assertEqual(oprf.normalise(text, kind), written)

    def test_refused_without_echoing(self):
        for kind, text in [("phone", "1380013800"), ("phone", "secret-name"), ("phone", ""), ("phone", "+86 27 8888 6666"),
                           ("resident-id", "110105194912310021"), ("resident-id", "11010519490230002X"), ("other", "a\x01b")]:
            with self.assertRaises(oprf.BadId) as caught:
                oprf.normalise(text, kind)
            self.assertTrue(len(text) < 4 or text not in str(caught.exception))

    def test_places_are_named(self):
        with self.assertRaisesRegex(oprf.BadId, "^id 2: "):
            oprf.Blinder(PUBLIC).blind(["13800138000", "x"])


class Responses(unittest.TestCase):
    def test_what_is_no_response(self):
        blinder = oprf.Blinder(PUBLIC)
        request = blinder.blind(["13800138000"])
        self.assertEqual(len(request["elements"][0]), 43)
        good = {"version": 1, "public_key": oprf._to_text(PUBLIC), "elements": request["elements"], "proof": oprf._to_text(PROOF)}
        for change in ({"version": 2}, {"public_key": oprf._to_text(BLINDED[0])}, {"elements": []}, {"elements": ["AA"]}, {"proof": "x"}, {"proof": None}, {}):
            with self.assertRaises(oprf.BadResponse):
                blinder.finish({**good, **change})
        with self.assertRaises(oprf.BadResponse):
            blinder.finish({})


if __name__ == "__main__":
    unittest.main()
