"""A pack that would not be worth training on is refused, with the way out."""

from tests.data.lab import Lab


def test_more_than_half_of_the_rows_lost_is_no_pack_unless_it_is_allowed(lab: Lab) -> None:
    rows = [(f"{n}.png", -(n % 7), n) for n in range(42)]
    file = lab.table("path,label,subject", rows)
    said = lab.refused(file)
    assert "acne: 36 of 42 rows cannot be used (36 grade below 0, such as '1.png': -1)" in said
    assert "--classes=-1,0,1 takes grades below 0 as classes; --allow-losses packs the rest" in said
    assert "there is one class alone (0)" in lab.refused(file, "--allow-losses")
    pack, _ = lab.packed(file, "--classes=-6,-5,-4,-3,-2,-1,0")
    assert pack.classes == ["-6", "-5", "-4", "-3", "-2", "-1", "0"]


def test_losses_among_the_photos_count_too(lab: Lab) -> None:
    file = lab.graded(["0", "1"], each=6)
    for n in range(2):
        for i in range(4):
            (lab.folder / f"{n}-{i}.png").write_bytes(b"no image")
    assert "8 of 12 rows cannot be used (8 unreadable image, such as '0-0.png'" in lab.refused(file)
    pack, _ = lab.packed(file, "--allow-losses")
    assert len(pack.labels) == 4


def test_a_class_without_a_training_image_names_the_way_out(lab: Lab) -> None:
    said = lab.refused(lab.graded(["0", "1"]), "--classes", "0,1,2")
    assert "class 2 has no training image" in said
    assert "--classes 0,1 leaves it out" in said
