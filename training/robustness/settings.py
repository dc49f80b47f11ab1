"""Settings of the robustness measurement: conditions, bounds of the release gate."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, model_validator

from model.config import FrozenSettings


class RobustnessBound(FrozenSettings):
    """What a condition may do at most; a missing value is not checked."""

    mean_change: float | None = Field(
        default=None, gt=0, le=1, description="largest mean absolute change of any outcome's probability"
    )
    top_changed: float | None = Field(
        default=None, ge=0, le=1, description="largest share of recordings whose likeliest outcome changes"
    )
    abstained: float | None = Field(
        default=None, ge=0, le=1, description="largest share of recordings that are scored only without the condition"
    )


class RobustnessSettings(FrozenSettings):
    """Conditions that every recording is scored under again, and the bounds that a release must keep.

    `bounds` has a bound by group of conditions (`gain`, `white noise`, ...) or by a condition's whole name
    (`white noise 20 dB`), which goes before that of its group.
    """

    seed: int = 4001
    gains: tuple[float, ...] = Field(default=(6, -6, -12, -18, -24, -30), description="dB")
    noise_levels: tuple[float, ...] = Field(
        default=(20, 10, 5), description="signal-to-noise ratios in dB of white, pink and babble noise"
    )
    opus_rates: tuple[int, ...] = Field(default=(16, 24, 32, 64), description="kbit/s")
    mp3_rates: tuple[int, ...] = Field(default=(64,), description="kbit/s")
    aac_rates: tuple[int, ...] = Field(default=(64,), description="kbit/s")
    telephone: bool = Field(default=True, description="G.711 at 8 kHz, and 8 kHz alone")
    word_errors: tuple[float, ...] = Field(default=(0.1, 0.2), description="word error rates")
    halves: bool = Field(default=True, description="each half of a recording")
    interviewer: bool = Field(default=True, description="the interviewer is scored with the participant")
    bounds: Mapping[str, RobustnessBound] = Field(
        default={
            "copy": RobustnessBound(mean_change=0.01),
            "gain": RobustnessBound(mean_change=0.02, top_changed=0.05, abstained=0.0),
            "Opus": RobustnessBound(mean_change=0.1),
        }
    )

    @model_validator(mode="after")
    def _errors_are_shares(self) -> RobustnessSettings:
        if not all(0 < rate < 1 for rate in self.word_errors):
            raise ValueError("word_errors are shares between 0 and 1")
        return self
