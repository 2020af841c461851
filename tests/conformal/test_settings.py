from __future__ import annotations

import pytest

import headrace as hr
from headrace.conformal.settings import Conformal, check_level, conformal_settings
from headrace.errors import SettingError
from headrace.preprocessing.stored import step_from_dict, step_to_dict


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"method": "cqrr"}, "method must be one of .*, received 'cqrr'; perhaps 'cqr' is meant"),
        ({"fallback": "none"}, "fallback must be one of widest, pooled, received 'none'"),
        ({"by": 3}, "by must be a column or a list of columns, received 3"),
        ({"share": 1.0}, "share must lie between 0 and 1 (both excluded), received 1.0"),
        ({"share": True}, "share must lie between 0 and 1"),
        ({"penalty": -1}, "penalty and free must be 0 or more"),
        ({"least": 0}, "least 1 or more"),
        ({"time": "day"}, "orders the rows for half_life, which is not given"),
        ({"half_life": "30d"}, "needs the column of dates"),
        ({"half_life": 0}, "half_life must be above 0, received 0"),
        ({"half_life": "soon", "time": "day"}, "a time is seconds, or text"),
    ],
)
def test_what_cannot_be_used_is_refused_with_words(given: dict[str, object], text: str) -> None:
    with pytest.raises(SettingError) as error:
        Conformal(**given)
    assert all(part in str(error.value) for part in text.split(".*"))


def test_a_number_is_the_share_and_none_is_none() -> None:
    assert conformal_settings(0.3) == Conformal(share=0.3)
    assert conformal_settings(None) is None
    with pytest.raises(SettingError, match="conformal must be a share of the rows"):
        conformal_settings("lac")


@pytest.mark.parametrize("level", [0, 1, 1.5, -0.1, True, "0.9", None, float("nan")])
def test_a_level_is_a_number_between_0_and_1(level: object) -> None:
    with pytest.raises(SettingError, match="interval must be a number between 0 and 1"):
        check_level(level)


def test_settings_are_plain_values_and_come_back() -> None:
    settings = Conformal(by=["region", "sex"], method="raps", half_life="30d", time="day")
    assert settings.by == ("region", "sex")
    assert Conformal.from_dict(settings.to_dict()) == settings
    assert repr(Conformal(by="region")) == "Conformal(by='region')"


def test_a_network_remembers_its_settings_when_it_is_stored() -> None:
    network = hr.Network([8], conformal=Conformal(share=0.3, by="region"))
    again = step_from_dict(step_to_dict(network))
    assert again.get_params()["conformal"] == Conformal(share=0.3, by="region")
    assert "conformal=Conformal(by='region', share=0.3)" in repr(again)
