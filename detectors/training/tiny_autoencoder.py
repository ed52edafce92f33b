"""TAEF2 in torch: a small autoencoder of the latent space of FLUX.2 (madebyollin/taesd, MIT), its weights read from a clone.

Rules: names and order of the layers are those of the published weights; nothing but weights is read from the files.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_CHANNELS, _LATENT = 64, 32


def reconstructing(clone: Path) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    """A function from uint8 (height, width, 3), sides multiples of 8, to the same picture decoded from its latents.

    `clone` holds `taef2_encoder.pth` and `taef2_decoder.pth`.
    """
    parts = {"encoder": _encoder(), "decoder": _decoder()}
    for name, part in parts.items():
        part.load_state_dict(torch.load(clone / f"taef2_{name}.pth", map_location="cpu", weights_only=True))
    network = nn.Sequential(*parts.values()).eval()

    def reconstruct(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        with torch.inference_mode():
            planes = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255
            decoded = network(planes).clamp(0, 1)[0].permute(1, 2, 0)
        return np.asarray((decoded * 255).round().to(torch.uint8).numpy(), np.uint8)

    return reconstruct


class _Block(nn.Module):
    """Three convolutions beside a skip; `pooled`: a globally normalised detour first."""

    def __init__(self, *, pooled: bool) -> None:
        super().__init__()
        convolutions = [_convolution(_CHANNELS, _CHANNELS) for _ in range(3)]
        self.conv = nn.Sequential(convolutions[0], nn.ReLU(), convolutions[1], nn.ReLU(), convolutions[2])
        wide = 4 * _CHANNELS
        self.pool = (
            nn.Sequential(
                nn.Conv2d(_CHANNELS, wide, 1, bias=False),
                nn.GroupNorm(4, wide),
                nn.ReLU(),
                nn.Conv2d(wide, _CHANNELS, 1, bias=False),
            )
            if pooled
            else None
        )

    def forward(self, planes: Tensor) -> Tensor:
        if self.pool is not None:
            planes = planes + self.pool(planes)
        return torch.relu(self.conv(planes) + planes)


class _Clamp(nn.Module):
    """Latents held softly within -3 to 3."""

    def forward(self, latents: Tensor) -> Tensor:
        return torch.tanh(latents / 3) * 3


def _convolution(inputs: int, outputs: int, *, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=bias)


def _encoder() -> nn.Sequential:
    layers: list[nn.Module] = [_convolution(3, _CHANNELS), _Block(pooled=False)]
    for stage in range(3):
        layers.append(_convolution(_CHANNELS, _CHANNELS, stride=2, bias=False))
        layers += [_Block(pooled=stage == 2) for _ in range(3)]
    return nn.Sequential(*layers, _convolution(_CHANNELS, _LATENT))


def _decoder() -> nn.Sequential:
    layers: list[nn.Module] = [_Clamp(), _convolution(_LATENT, _CHANNELS), nn.ReLU()]
    for stage in range(3):
        layers += [_Block(pooled=stage == 0) for _ in range(3)]
        layers += [nn.Upsample(scale_factor=2), _convolution(_CHANNELS, _CHANNELS, bias=False)]
    return nn.Sequential(*layers, _Block(pooled=False), _convolution(_CHANNELS, 3))
