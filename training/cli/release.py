"""The verbs of a release: make a key, release a bundle, sign it, check its card."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from training.cli.errors import refuse, text_console

KeyOption = Annotated[
    Path | None, typer.Option("--key", exists=True, dir_okay=False, help="Private signing key; see keygen.")
]
BundleArgument = Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of the bundle.")]


def add_verbs(app: typer.Typer) -> None:
    """Register the verbs of this module."""
    app.command()(keygen)
    app.command()(release)
    app.command()(sign)
    app.command("check-card")(check_card)


def keygen(
    out: Annotated[
        Path,
        typer.Option(
            "--out", dir_okay=False, help="File of the private key; the public key is written beside it as .pub."
        ),
    ],
) -> None:
    """Make a key pair for signing bundles."""
    from model.bundle.keys import key_id, read_public_key
    from training.release.signing_key import make_key

    with refuse():
        public = make_key(out)
        name = key_id(read_public_key(public.read_bytes()))
    console = text_console()
    console.print(f"Key {name}. Private: {out} (keep it secret, and keep a copy). Public: {public}")
    console.print(f'A service trusts this key with HILBERT_TRUSTED_KEYS=["{public}"]')


def release(  # noqa: PLR0913, PLR0917 - the parts of a release
    checkpoint: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="Folder of the trained network and its calibration.")
    ],
    encoders: Annotated[
        Path, typer.Option(exists=True, file_okay=False, help="Folder with the exported encoders `speech` and `text`.")
    ],
    card: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Authored part of the model card, YAML.")],
    golden_audio: Annotated[
        Path,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Recording for the golden check. Its segments become part of the bundle: never a patient's.",
        ),
    ],
    golden_transcript: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="Transcript of the golden recording.")
    ],
    name: Annotated[str, typer.Option(help="Name of the bundle.")],
    version: Annotated[str, typer.Option(help="Version of the bundle.")],
    out: Annotated[Path, typer.Option(file_okay=False, help="Output folder of the bundle.")],
    evaluation: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="metrics.json of the evaluation; without it the card says `not evaluated`.",
        ),
    ] = None,
    key: KeyOption = None,
    demonstration: Annotated[bool, typer.Option(help="Mark the bundle as trained on synthetic speech only.")] = False,
) -> None:
    """Release a checkpoint as a bundle: export, golden check, model card, digests and signature."""
    from model.bundle.manifest import Manifest, Task
    from training.release.bundle import ReleaseParts
    from training.release.bundle import release as make_bundle
    from training.release.checkpoint import load_checkpoint
    from training.release.golden import cut_golden
    from training.release.signing_key import read_signing_key

    with refuse():
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
    text_console().print(f"{name} {version}, sha256 {bundle.digest}, {signed}: {out}")
    if evaluation is None:
        text_console().print("The card says that the bundle was not evaluated: no --evaluation was given.")


def sign(
    bundle: BundleArgument,
    key: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Private signing key.")],
) -> None:
    """Sign a bundle that is unsigned or signed by another key, after its golden check."""
    from model.bundle.manifest import SIGNATURE
    from model.bundle.signature import write_signature
    from model.pipeline import Pipeline
    from training.release.signing_key import read_signing_key

    with refuse():
        signing_key = read_signing_key(key)
        with Pipeline.open(bundle) as pipeline:
            pipeline.warm_up()
        signature = write_signature(bundle, signing_key, datetime.now(UTC))
    text_console().print(f"Signed by the key {signature.key}: {bundle / SIGNATURE}")


def check_card(bundle: BundleArgument) -> None:
    """Compare every number of a bundle's card with its evaluation, and the card with its source."""
    from training.card.card import check_bundle_card

    with refuse():
        checked = check_bundle_card(bundle)
    text_console().print(f"The card agrees with its source and the evaluation; {checked} numbers compared.")
