"""Generators of the released CUT and CycleGAN code, told again: one list of layers, under the names that it saves."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Halve(nn.Module):
    """Mirror by one, weigh each 3x3 neighbourhood by 1 2 1 both ways, keep every second pixel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        row = torch.tensor([1.0, 2.0, 1.0])
        self.register_buffer("filt", torch.outer(row, row).div(16).repeat(channels, 1, 1, 1))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        blurred = F.conv2d(nn.ReflectionPad2d(1)(x_BCHW), self.filt, groups=x_BCHW.shape[1])
        return blurred[:, :, ::2, ::2]


class Double(nn.Module):
    """Repeat the border, put zeros between all pixels, weigh by 1 3 3 1 both ways, and cut the middle out."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        row = torch.tensor([1.0, 3.0, 3.0, 1.0])
        self.register_buffer("filt", torch.outer(row, row).div(16).repeat(channels, 1, 1, 1))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        batch, channels, height, width = x_BCHW.shape
        apart = x_BCHW.new_zeros(batch, channels, 2 * height + 3, 2 * width + 3)
        apart[:, :, ::2, ::2] = nn.ReplicationPad2d(1)(x_BCHW)
        everywhere = F.conv2d(F.pad(apart, (3, 3, 3, 3)), self.filt, groups=channels)
        return everywhere[:, :, 3 : 3 + 2 * height, 3 : 3 + 2 * width]


class Residual(nn.Module):
    def __init__(self, channels: int, dropout: bool) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
            nn.ReLU(),
            *([nn.Dropout(0.5)] if dropout else []),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            nn.InstanceNorm2d(channels),
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return x_BCHW + self.conv_block(x_BCHW)


class Released(nn.Module):
    """A generator with weights large enough to paint something, in evaluation mode."""

    def __init__(self, *, width: int, down: bool, up: bool, blocks: int, dropout: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(3, width, 7), nn.InstanceNorm2d(width), nn.ReLU()]
        for channels in (width, 2 * width):
            layers.append(nn.Conv2d(channels, 2 * channels, 3, stride=1 if down else 2, padding=1))
            layers += [nn.InstanceNorm2d(2 * channels), nn.ReLU(), *([Halve(2 * channels)] if down else [])]
        layers += [Residual(4 * width, dropout) for _ in range(blocks)]
        for channels in (4 * width, 2 * width):
            if up:
                layers += [Double(channels), nn.Conv2d(channels, channels // 2, 3, padding=1)]
            else:
                layers.append(nn.ConvTranspose2d(channels, channels // 2, 3, stride=2, padding=1, output_padding=1))
            layers += [nn.InstanceNorm2d(channels // 2), nn.ReLU()]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)
        draws = torch.Generator().manual_seed(width + 10 * blocks)
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.1, generator=draws)
        self.eval().requires_grad_(False)

    def forward(self, x_B3HW: Tensor) -> Tensor:
        out: Tensor = self.model(x_B3HW)
        return out
