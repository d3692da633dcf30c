"""Settings and access: defaults, what is refused, and that a wrong setting never stops a device."""

import json
import unittest

from agent import config as settings


class Settings(unittest.TestCase):
    def test_defaults_are_allowed(self):
        for table in (settings.SETTINGS, settings.ACCESS):
            for key, (kind, allowed, default) in table.items():
                if default is not None:
                    self.assertTrue(settings._valid(default, kind, allowed), key)

    def test_sections_and_dots_are_the_same(self):
        text = '{"gnss": {"baud": 4800}, "ais.interval_s": 0, "profile": "shorepower"}'
        config, errors = settings.load(text)
        self.assertEqual(errors, [])
        self.assertEqual(config["gnss.baud"], 4800)
        self.assertEqual(config["ais.interval_s"], 0)
        self.assertEqual(config["profile"], "shorepower")
        self.assertEqual(config["report_s"], 600)

    def test_a_wrong_one_is_named_and_its_default_used(self):
        for key, value in (
            ("report_s", 0),
            ("report_s", 86401),
            ("report_s", "600"),
            ("report_s", True),
            ("report_s", None),
            ("report_s", [1]),
            ("profile", "lighthouse"),
            ("board", ""),
            ("board", "x" * 33),
        ):
            config, errors = settings.load(json.dumps({key: value, "detail_s": 60}))
            self.assertEqual(config[key], settings.SETTINGS[key][2])
            self.assertEqual(config["detail_s"], 60)
            self.assertEqual(errors, ["settings: %s: not allowed; the default is used" % key])

    def test_an_unknown_one_is_named(self):
        errors = settings.load('{"colour": 1, "gnss": {"bauds": 1}}')[1]
        self.assertEqual(
            sorted(errors),
            [
                "settings: colour: there is no such setting",
                "settings: gnss.bauds: there is no such setting",
            ],
        )

    def test_what_is_no_object_is_all_defaults(self):
        for text in ("", "{", "[]", "7", '"x"', "null", b"\xff\xfe"):
            config, errors = settings.load(text)
            self.assertEqual(config["report_s"], 600)
            self.assertEqual(len(errors), 1)


class Access(unittest.TestCase):
    def test_nothing_said(self):
        access, errors = settings.load_access("{}")
        self.assertEqual(errors, [])
        self.assertEqual(
            (access["host"], access["port"], access["tls"]), ("127.0.0.1", 1883, False)
        )
        self.assertEqual((access["wifi"], access["apn"]), (None, None))

    def test_all_of_it(self):
        said = {
            "host": "broker.example",
            "port": 8883,
            "tls": True,
            "ca": "-----BEGIN",
            "cert": "",
            "key": "",
            "password": "secret",
            "wifi": {"ssid": "quay", "key": "virtual"},
            "apn": {"name": "iot", "pin": "1234"},
        }
        access, errors = settings.load_access(json.dumps(said))
        self.assertEqual(errors, [])
        self.assertEqual(access, said)

    def test_refusals_do_not_repeat_secrets(self):
        text = json.dumps(
            {"password": "hunter2" * 20, "wifi": {"ssid": "quay", "key": 7}, "tls": 1}
        )
        lines = settings.refusals("access", text)
        self.assertEqual(len(lines), 3)
        self.assertFalse("hunter2" in str(lines))
        self.assertEqual(settings.refusals("settings", "{}"), [])


if __name__ == "__main__":
    unittest.main()
