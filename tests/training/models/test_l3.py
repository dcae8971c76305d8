"""l3-2019's towers: parameters to the last one, shapes of the embeddings, pools, and that the embedding is taken where it should be."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed; pip install 'motifdb[train]'")

from motifdb.errors import UsageError  # noqa: E402
from motifdb.training.models import count_parameters  # noqa: E402
from motifdb.training.models.l3 import AudioTower, Fusion, VisionTower, pool_to_grid  # noqa: E402

# (rows, columns) of the front ends linear, mel128 and mel256, and the map after three pools
MAPS = {(257, 197): (32, 24), (128, 199): (16, 24), (256, 199): (32, 24)}


def test_parameters_are_those_of_the_paper() -> None:
    with torch.device("meta"):
        audio, vision, fusion = AudioTower(), VisionTower(), Fusion(512, 512)
        original = AudioTower(is_input_normalised=False)
    assert count_parameters(audio) == 4_688_066
    assert count_parameters(vision) == 4_689_222
    assert count_parameters(fusion) == 131_458
    assert count_parameters(original) == 4_688_064  # without the scale and the shift of the input


@pytest.mark.parametrize("shape", MAPS, ids=["linear", "mel128", "mel256"])
def test_embeddings_have_6144_and_512_numbers(shape: tuple[int, int]) -> None:
    with torch.device("meta"):
        tower = AudioTower()
        sound = torch.zeros(2, *shape)
        assert tower.last_convolution(sound).shape == (2, 512, *MAPS[shape])
        assert tower.embed(sound).shape == (2, 6144)
        assert tower.embed(sound, (1, 1)).shape == (2, 512)
        assert tower(sound).shape == (2, 512)


def test_vision_tower_sees_224_pixels() -> None:
    with torch.device("meta"):
        tower = VisionTower()
        picture = torch.zeros(2, 3, 224, 224)
        assert tower.last_convolution(picture).shape == (2, 512, 28, 28)
        assert tower(picture).shape == (2, 512)


def test_embedding_is_the_last_convolution_before_its_norm_and_relu() -> None:
    torch.manual_seed(0)
    tower = AudioTower(channels=(2, 3), n_convolutions=2).eval()
    sound = torch.randn(1, 8, 6)
    seen = []
    tower.convolutions[-1].register_forward_hook(lambda *hooked: seen.append(hooked[2]))
    embedded = tower.embed(sound, (4, 3))
    assert torch.equal(
        embedded, seen[0].permute(0, 2, 3, 1).flatten(1)
    )  # a map of 4 x 3 cells: nothing to pool
    assert (embedded < 0).any()  # no ReLU came between
    tower.norms[-1].weight.data.mul_(100)
    assert torch.equal(tower.embed(sound, (4, 3)), embedded)
    assert (tower(sound) >= 0).all()


def test_pools_are_the_printed_ones() -> None:
    maps = torch.randn(1, 2, 16, 24)
    assert torch.equal(pool_to_grid(maps, (4, 3)), torch.nn.functional.max_pool2d(maps, (4, 8)))
    assert torch.equal(pool_to_grid(maps, (1, 1))[..., 0, 0], maps.amax((2, 3)))
    uneven = -torch.ones(1, 1, 7, 5)  # filled with less than everything, not with zeros
    assert torch.equal(pool_to_grid(uneven, (4, 3)), -torch.ones(1, 1, 4, 3))
    with pytest.raises(UsageError, match="2 x 9 cannot be pooled to 4 x 3"):
        pool_to_grid(torch.zeros(1, 1, 2, 9), (4, 3))


def test_the_released_vision_tower_normalises_after_relu_once() -> None:
    torch.manual_seed(1)
    options = {"channels": (2, 2), "n_convolutions": 2}
    plain, released = VisionTower(**options).eval(), VisionTower(**options, is_relu_first=True).eval()
    released.load_state_dict(plain.state_dict())
    picture = torch.randn(1, 3, 4, 4)
    for tower in (plain, released):
        tower.norms[1].bias.data.fill_(
            -10.0
        )  # what comes after is zero where ReLU is last, and below zero where it is first
    seen = {}
    for name, tower in (("plain", plain), ("released", released)):
        tower.convolutions[2].register_forward_hook(lambda *h, name=name: seen.update({name: h[1][0]}))
        tower(picture)
    assert (seen["plain"] == 0).all()
    assert (seen["released"] < 0).all()
    assert count_parameters(plain) == count_parameters(released)
