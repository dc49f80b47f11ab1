"""The verbs of `hilbert-train` around a release: make a key, release, sign, check a card."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

KeyOption = Annotated[
    Path | None, typer.Option("--key", exists=True, dir_okay=False, help="Private key to sign with; see keygen.")
]
BundleArgument = Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of the bundle.")]


def add_verbs(app: typer.Typer) -> None:
    """Put the verbs of this module into the command line."""
    app.command()(keygen)
    app.command()(release)
    app.command()(sign)
    app.command("check-card")(check_card)


def keygen(
    out: Annotated[Path, typer.Option("--out", dir_okay=False, help="File of the private key; .pub goes beside it.")],
) -> None:
    """Make a pair of keys to sign bundles with."""
    from model.bundle.keys import key_id, read_public_key
    from training.release.signing_key import make_key

    with _refusals():
        public = make_key(out)
        name = key_id(read_public_key(public.read_bytes()))
    console = _console()
    console.print(f"Key {name}. Private: {out} (keep it to yourself, and a copy of it). Public: {public}")
    console.print(f'A service trusts it with HILBERT_TRUSTED_KEYS=["{public}"]')


def release(  # noqa: PLR0913, PLR0917 - a release has these parts
    checkpoint: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="Folder of the trained network and its calibration.")
    ],
    encoders: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="Folder with the exported encoders `speech` and `text`.")
    ],
    card: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="The authored part of the model card, YAML.")],
    golden_audio: Annotated[
        Path,
        typer.Option(exists=True, dir_okay=False, help="Recording whose segments go into the bundle: no patient's."),
    ],
    golden_transcript: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Its transcript.")],
    name: Annotated[str, typer.Option(help="Name of the bundle.")],
    version: Annotated[str, typer.Option(help="Version of the bundle.")],
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder to write the bundle to.")],
    evaluation: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="metrics.json; without it: not evaluated.")
    ] = None,
    key: KeyOption = None,
    demonstration: Annotated[bool, typer.Option(help="Say that it was trained on synthetic speech only.")] = False,
) -> None:
    """Make a bundle of a checkpoint: exported, golden-checked, with its card, sealed and signed."""
    from model.bundle.manifest import Manifest, Task
    from training.release.bundle import ReleaseParts
    from training.release.bundle import release as make_bundle
    from training.release.checkpoint import load_checkpoint
    from training.release.golden import cut_golden
    from training.release.signing_key import read_signing_key

    with _refusals():
        signing_key = None if key is None else read_signing_key(key)
        trained = load_checkpoint(checkpoint)
        manifest = Manifest(
            name=name,
            version=version,
            released=datetime.now(UTC).date(),
            demonstration=demonstration,
            tasks=tuple(Task(name=task, outcomes=outcomes) for task, outcomes in trained.description.outcomes.items()),
            encoders={},
            audio=trained.preparation.audio,
            segments=trained.preparation.segments,
            quality=trained.preparation.quality,
            files={},
        )
        parts = ReleaseParts(
            network=trained.network,
            calibration=trained.calibration,
            encoders=encoders,
            manifest=manifest,
            golden=cut_golden(golden_audio, golden_transcript, manifest),
            card=card,
            evaluation=evaluation,
            about=trained.about,
            key=signing_key,
        )
        bundle = make_bundle(parts, out)
    signed = "not signed" if bundle.signature is None else f"signed by the key {bundle.signature.key}"
    _console().print(f"{name} {version}, sha256 {bundle.digest}, {signed}: {out}")
    if evaluation is None:
        _console().print("Its card says that it was not evaluated: no --evaluation was given.")


def sign(
    bundle: BundleArgument,
    key: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Private key to sign with.")],
) -> None:
    """Sign a bundle that was released without a key, or by another one; it is checked first."""
    from model.bundle.manifest import SIGNATURE
    from model.bundle.signature import write_signature
    from model.pipeline import Pipeline
    from training.release.signing_key import read_signing_key

    with _refusals():
        signing_key = read_signing_key(key)
        with Pipeline.open(bundle) as pipeline:
            pipeline.warm_up()
        signature = write_signature(bundle, signing_key, datetime.now(UTC))
    _console().print(f"Signed by the key {signature.key}: {bundle / SIGNATURE}")


def check_card(bundle: BundleArgument) -> None:
    """Compare the card of a bundle with its evaluation and its source, number by number."""
    from training.card.card import check_bundle_card

    with _refusals():
        checked = check_bundle_card(bundle)
    _console().print(f"The card agrees with its source and the evaluation; {checked} numbers compared.")


@contextmanager
def _refusals() -> Iterator[None]:
    """End with status 1 and the reason for what is refused, without a traceback."""
    from model.errors import ModelError
    from training.card.numbers import CardError
    from training.release.bundle import ReleaseRefusedError
    from training.release.checkpoint import CheckpointError
    from training.release.golden import GoldenUnusableError

    console = _console()
    try:
        yield
    except ModelError as error:
        console.print(f"{error.detail}. {error.advice}", markup=False)
        raise typer.Exit(1) from error
    except (CardError, CheckpointError, GoldenUnusableError, ReleaseRefusedError) as error:
        console.print(f"{error}.", markup=False)
        raise typer.Exit(1) from error


def _console() -> Console:
    return Console(soft_wrap=True, highlight=False)
