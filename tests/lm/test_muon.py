"""Muon against PyTorch's own, and what its iteration makes of singular values."""

import pytest

torch = pytest.importorskip("torch", reason="language models need PyTorch (extra lm)")

from bpetok.lm.muon import Muon, orthogonalised  # noqa: E402

SHAPES = [(8, 8), (24, 8), (8, 32)]


@pytest.mark.parametrize("shape", SHAPES)
def test_singular_values_come_near_one(shape):
    matrices = torch.randn((5, *shape), generator=torch.Generator().manual_seed(1))
    found = orthogonalised(matrices)
    assert found.shape == matrices.shape
    values = torch.linalg.svdvals(found)
    # A direction that is all but missing comes out smaller; these have none.
    assert values.max() < 1.25
    assert values.min() > 0.5


def test_a_matrix_is_taken_to_the_nearest_orthogonal_one():
    matrix = torch.randn((1, 6, 6), generator=torch.Generator().manual_seed(2))
    left, _, right = torch.linalg.svd(matrix)
    values = left.mT @ orthogonalised(matrix) @ right.mT
    beside = values - torch.diag_embed(torch.diagonal(values, dim1=1, dim2=2))
    assert beside.abs().max() < 1e-4


def test_matrices_do_not_see_one_another():
    matrices = torch.randn((3, 6, 10), generator=torch.Generator().manual_seed(3))
    together = orthogonalised(matrices)
    for at in range(3):
        torch.testing.assert_close(together[at : at + 1], orthogonalised(matrices[at : at + 1]))


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this PyTorch has no Muon: it came with 2.9")
def test_steps_are_those_of_pytorch():
    generator = torch.Generator().manual_seed(4)
    ours = [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in (*SHAPES, SHAPES[1])]
    theirs = [torch.nn.Parameter(one.detach().clone()) for one in ours]
    steps = (
        Muon(ours, lr=0.02, weight_decay=0.1),
        torch.optim.Muon(theirs, lr=0.02, momentum=0.95, weight_decay=0.1),
    )
    for _ in range(5):
        for one, other in zip(ours, theirs, strict=True):
            one.grad = torch.randn(one.shape, generator=generator)
            other.grad = one.grad.clone()
        for each in steps:
            each.step()
    # PyTorch's computes in bfloat16, eight bits: five steps of 0.02 with an error of some hundredths of each.
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=3e-3)


def test_a_matrix_without_a_gradient_stays():
    matrix = torch.nn.Parameter(torch.ones(4, 4))
    Muon([matrix], lr=1.0, weight_decay=0.5).step()
    assert (matrix == 1).all()
