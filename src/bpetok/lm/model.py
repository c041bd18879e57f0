"""The model: a decoder-only transformer, the same for every tokenizer.

Rotary positions, normalisation by root mean square without parameters, normalised queries and keys,
squared ReLU, projections that begin at zero, and one embedding for input and output. `forward` gives the
logits only where they are asked for, since a question's own tokens are never predicted.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bpetok.lm.config import ModelSettings

__all__ = ["Model"]


def _normalised(x: Tensor) -> Tensor:
    return F.rms_norm(x, (x.shape[-1],))


def _rotations(length: int, size: int, device: torch.device, base: float = 10_000.0) -> tuple[Tensor, Tensor]:
    """Cosines and sines of rotary positions, each of shape (length, size / 2) (Su et al. 2021)."""
    speeds = base ** (-torch.arange(0, size, 2, dtype=torch.float32, device=device) / size)
    angles = torch.outer(torch.arange(length, dtype=torch.float32, device=device), speeds)
    return angles.cos(), angles.sin()


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, first * sin + second * cos), dim=-1)


class Attention(nn.Module):
    """Causal self-attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, length, width = x.shape
        q, k, v = self.qkv(x).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q, k = (_rotate(_normalised(part), cos, sin) for part in (q, k))
        mixed = F.scaled_dot_product_attention(q, k, v.to(q.dtype), is_causal=True)
        return self.out(mixed.transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    """Attention, then two matrices with a squared ReLU between them."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = Attention(width, heads)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.attention(_normalised(x), cos, sin)
        inner = self.up(_normalised(x))
        # The square of the ReLU, with one large buffer less than `square` takes.
        return x + self.down(inner * F.relu(inner))


class Model(nn.Module):
    """A language model over `n_vocab` tokens.

    Args:
        settings: its shape.
        n_vocab: how many tokens there are.
        longest: about how long the sequences are that it learns from. It computes longer ones too.
    """

    def __init__(self, settings: ModelSettings, n_vocab: int, longest: int) -> None:
        super().__init__()
        self.settings = settings
        self.n_vocab = n_vocab
        self.longest = longest
        self.embedding = nn.Embedding(n_vocab, settings.width)
        self.blocks = nn.ModuleList(Block(settings.width, settings.heads) for _ in range(settings.layers))
        self.reset()

    def reset(self, generator: torch.Generator | None = None) -> None:
        """Draw all parameters anew."""
        width = self.settings.width
        for name, parameter in self.named_parameters():
            if name.endswith(("out.weight", "down.weight")):
                nn.init.zeros_(parameter)
            elif name.startswith("embedding"):
                nn.init.normal_(parameter, std=0.02, generator=generator)
            else:
                bound = (3.0 / width) ** 0.5
                nn.init.uniform_(parameter, -bound, bound, generator=generator)

    def forward(self, tokens: Tensor, where: Tensor | None = None) -> Tensor:
        """Logits of the next token.

        Args:
            tokens: int64, shape (batch, length).
            where: bool, shape (batch, length): at which places logits are wanted; None: everywhere.

        Returns:
            float32, shape (places, n_vocab), or (batch, length, n_vocab) without `where`.
        """
        return self._logits(self.hidden(tokens), where)

    def hidden(self, tokens: Tensor) -> Tensor:
        """What the trunk makes of the tokens, of shape (batch, length, width): all that has a fixed shape, so
        it can be compiled."""
        x = _normalised(self.embedding(tokens))
        # A few thousand numbers, which are made anew each time: a table would have to be long enough.
        cos, sin = _rotations(tokens.shape[1], self.settings.width // self.settings.heads, tokens.device)
        for block in self.blocks:
            x = block(x, cos, sin)
        return _normalised(x)

    # How many logits are asked for differs from batch to batch: this part is not compiled.
    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _logits(self, x: Tensor, where: Tensor | None) -> Tensor:
        if where is not None:
            x = x[where]
        return F.linear(x, self.embedding.weight).float()

    def matrices(self) -> list[nn.Parameter]:
        """The parameters of the trunk, all of them matrices."""
        return list(self.blocks.parameters())
