from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from headrace.deploy import registry
from headrace.deploy.registry import Registry, find_release
from headrace.deploy.release import write_release
from headrace.errors import ReleaseError
from headrace.storage import files

if TYPE_CHECKING:
    from pathlib import Path


def parts(number: int) -> dict[str, Any]:
    return {"schema.json": {"number": number}, "card.md": f"# {number}\n"}


@pytest.fixture
def models(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models")


def champion(models: Registry) -> Any:
    return models.resolve("champion").document("schema.json")["number"]


def test_publishing_adds_a_release_and_names_nothing(models: Registry) -> None:
    release = models.publish(parts(1), why="first")
    assert release.path == models.path / "releases" / release.version
    assert models.versions() == (release.version,)
    assert models.alias("champion") is None
    assert models.resolve(release.version).document("schema.json") == {"number": 1}
    assert models.resolve(release.version[:5]).version == release.version
    (change,) = models.history()
    assert (change.action, change.version, change.why) == ("publish", release.version, "first")
    assert "@" in change.who
    assert change.time.endswith("+00:00")


def test_publishing_the_same_again_changes_nothing(models: Registry) -> None:
    first, again = models.publish(parts(1)), models.publish(parts(1))
    assert first.version == again.version
    assert first.created == again.created
    assert len(models.versions()) == len(models.history()) == 1


def test_promote_challenge_withdraw_and_rollback(models: Registry) -> None:
    versions = [models.publish(parts(number)).version for number in range(4)]
    assert models.promote(versions[0], "the first").alias == "champion"
    assert models.challenge(versions[1], "looks good").alias == "challenger"
    assert models.alias("challenger") == versions[1]
    models.promote("challenger", "is better", verdict="better: +0.01 [0.004, 0.02]")
    assert models.alias("challenger") is None
    models.promote(versions[2], "newer")
    assert champion(models) == 2
    assert models.rollback("alarm").version == versions[1]
    assert models.rollback("alarm again").version == versions[0]
    with pytest.raises(ReleaseError, match="no champion came before"):
        models.rollback("and again")
    models.promote(versions[3], "new hope")
    assert models.rollback("no").version == versions[0]
    models.challenge(versions[2], "once more")
    models.withdraw("after all not")
    assert models.alias("challenger") is None
    actions = [change.action for change in models.history() if change.action != "publish"]
    assert actions == [
        *("promote", "challenge", "promote", "withdraw", "promote", "rollback", "rollback"),
        *("promote", "rollback", "challenge", "withdraw"),
    ]
    verdicts = {change.verdict for change in models.history()}
    assert verdicts == {None, "better: +0.01 [0.004, 0.02]"}


def test_promoting_the_champion_again_changes_nothing(models: Registry) -> None:
    version = models.publish(parts(1)).version
    models.promote(version, "once")
    models.promote(version, "twice")
    assert [change.action for change in models.history()] == ["publish", "promote"]


def test_list_knows_the_aliases(models: Registry) -> None:
    one, two, three = (models.publish(parts(number)) for number in range(3))
    models.promote(one.version, "")
    models.challenge(two.version, "")
    aliases = {release.version: release.alias for release in models.list()}
    assert aliases == {one.version: "champion", two.version: "challenger", three.version: None}


def test_what_is_not_there_is_said_with_what_is(models: Registry, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="is not a registry: it has no folder 'releases'"):
        models.promote("champion", "")
    version = models.publish(parts(1)).version
    with pytest.raises(ReleaseError, match=f"has no champion yet; it has {version}"):
        models.resolve()
    with pytest.raises(ReleaseError, match="no release 'championn'; perhaps 'champion' is meant"):
        models.resolve("championn")
    with pytest.raises(ReleaseError, match="no release ''"):
        models.resolve("")
    with pytest.raises(ReleaseError, match="an alias is one of champion, challenger"):
        models.alias("../../etc/passwd")
    with pytest.raises(ReleaseError, match=r"no release '\.\./\.\./x'"):
        models.promote("../../x", "")
    write_release(tmp_path / "release", parts(1))
    with pytest.raises(ReleaseError, match="is a release; a registry needs a folder of its own"):
        Registry(tmp_path / "release").publish(parts(2))


def test_find_release_takes_a_release_or_a_registry(models: Registry, tmp_path: Path) -> None:
    saved = write_release(tmp_path / "saved", parts(7))
    assert find_release(tmp_path / "saved") == (saved, None)
    version = models.publish(parts(1)).version
    models.promote(version, "")
    release, home = find_release(models.path)
    assert (release.version, release.alias, home) == (version, "champion", models.path)
    release, home = find_release(models.path / "releases" / version)
    assert (release.alias, home) == (None, None)
    with pytest.raises(ReleaseError, match=r"expected a release .* does not exist"):
        find_release(tmp_path / "nowhere")
    with pytest.raises(ReleaseError, match=r"expected a release .* holds neither"):
        find_release(tmp_path)


def test_a_damaged_release_is_named_and_healed_by_publishing_it_again(models: Registry) -> None:
    release = models.publish(parts(1))
    models.promote(release.version, "")
    (release.path / "card.md").write_text("# other")
    with pytest.raises(ReleaseError, match=r"card\.md is not what was published"):
        models.resolve()
    models.publish(parts(1))
    assert champion(models) == 1


def test_a_release_under_a_foreign_name_is_refused(models: Registry) -> None:
    one, two = models.publish(parts(1)), models.publish(parts(2))
    one.path.rename(models.path / "aside")
    two.path.rename(one.path)
    with pytest.raises(ReleaseError, match=f"holds the release {two.version}; it was altered"):
        models.resolve(one.version)


def test_a_rewritten_manifest_is_found_by_the_history(models: Registry, forge: Any) -> None:
    release = models.publish(parts(1))
    forge(release.path, lambda manifest: manifest.update(created="2001-01-01T00:00:00+00:00"))
    with pytest.raises(ReleaseError, match=r"manifest\.json is not the one that was published"):
        models.resolve(release.version)


def test_a_damaged_alias_and_a_damaged_history_are_named(models: Registry) -> None:
    version = models.publish(parts(1)).version
    models.promote(version, "")
    (models.path / "aliases" / "champion").write_text("../../etc\n")
    with pytest.raises(ReleaseError, match=r"should hold the version of a release, found '../"):
        models.resolve()
    (models.path / "history.jsonl").write_text("nonsense\n")
    with pytest.raises(ReleaseError, match=r"history\.jsonl is damaged"):
        models.history()


def test_an_alias_changed_by_hand_is_respected_and_noted(models: Registry) -> None:
    one, two, three = (models.publish(parts(number)).version for number in range(3))
    models.promote(one, "")
    models.promote(two, "")
    (models.path / "aliases" / "champion").write_text(f"{one}\n")
    models.challenge(three, "next")
    assert models.alias("champion") == one
    found = next(change for change in models.history() if change.action == "found")
    assert (found.alias, found.version, found.previous) == ("champion", one, two)
    with pytest.raises(ReleaseError, match="no champion came before"):
        models.rollback("")


def test_a_torn_last_line_of_the_history_is_ignored_and_cut(models: Registry) -> None:
    models.publish(parts(1))
    with (models.path / "history.jsonl").open("ab") as file:
        file.write(b'{"time": "2024-')
    assert len(models.history()) == 1
    models.publish(parts(2))
    assert len(models.history()) == 2


def test_every_change_is_made_or_not_whatever_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing_disk: Any
) -> None:
    def prepared(folder: Path) -> Registry:
        models = Registry(folder)
        for number in (0, 1):
            models.promote(models.publish(parts(number)).version, "prepared")
        models.challenge(models.publish(parts(2)).version, "prepared")
        return models

    acts = {
        "publish": lambda models: models.publish(parts(3)),
        "promote": lambda models: models.promote("challenger", "tested"),
        "rollback": lambda models: models.rollback("tested"),
        "withdraw": lambda models: models.withdraw("tested"),
    }
    results = {"publish": {1}, "promote": {1, 2}, "rollback": {1, 0}, "withdraw": {1}}
    for action, act in acts.items():
        step = 0
        while True:
            step += 1
            models = prepared(tmp_path / f"{action}-{step}")
            disk = failing_disk(step, torn=True)
            _install(monkeypatch, disk)
            try:
                act(models)
                break
            except OSError:
                _install(monkeypatch, files.Disk())
            assert champion(models) in results[action]
            assert all(release.version for release in models.list())
            models.publish(parts(9))  # the next change finds a registry that works
            states = {change.alias: change.version for change in models.history() if change.alias}
            assert states == {name: models.alias(name) for name in ("champion", "challenger")}
            assert not list(models.path.rglob(".headrace-tmp-*"))
        _install(monkeypatch, files.Disk())
        assert step > 2


def _install(monkeypatch: pytest.MonkeyPatch, disk: files.Disk) -> None:
    monkeypatch.setattr(files, "disk", disk)
    monkeypatch.setattr(registry, "disk", disk)


PUBLISH = """
import sys
from headrace.deploy.registry import Registry

models = Registry(sys.argv[1])
for number in range(5):
    release = models.publish({"schema.json": {"number": number, "by": sys.argv[2]}})
    models.promote(release.version, sys.argv[2])
    models.publish({"schema.json": {"number": number}})
"""


def test_writers_take_turns_and_readers_are_never_locked_out(models: Registry) -> None:
    models.promote(models.publish(parts(0)).version, "")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    writers = [
        subprocess.Popen([sys.executable, "-c", PUBLISH, str(models.path), name], env=environment)
        for name in ("ann", "bob", "cid")
    ]
    while any(writer.poll() is None for writer in writers):
        assert models.resolve().version
        assert models.history()
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert len(models.versions()) == 1 + 3 * 5 + 5
    lines = (models.path / "history.jsonl").read_text().splitlines()
    actions = [json.loads(line)["action"] for line in lines]
    assert actions.count("publish") == 1 + 3 * 5 + 5
    assert actions.count("promote") == 1 + 3 * 5
    assert "found" not in actions
