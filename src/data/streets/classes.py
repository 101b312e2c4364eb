"""Cityscapes label ids and colours (Cordts et al. 2016), the vocabulary of every class map here."""

ROAD, SIDEWALK, BUILDING, WALL, FENCE, POLE = 7, 8, 11, 12, 13, 17
LIGHT, SIGN, VEGETATION, TERRAIN, SKY = 19, 20, 21, 22, 23
PERSON, RIDER, CAR, TRUCK, BUS, MOTORCYCLE, BICYCLE = 24, 25, 26, 27, 28, 32, 33

COLOURS: dict[int, tuple[int, int, int]] = {
    0: (0, 0, 0),
    ROAD: (128, 64, 128),
    SIDEWALK: (244, 35, 232),
    BUILDING: (70, 70, 70),
    WALL: (102, 102, 156),
    FENCE: (190, 153, 153),
    POLE: (153, 153, 153),
    LIGHT: (250, 170, 30),
    SIGN: (220, 220, 0),
    VEGETATION: (107, 142, 35),
    TERRAIN: (152, 251, 152),
    SKY: (70, 130, 180),
    PERSON: (220, 20, 60),
    RIDER: (255, 0, 0),
    CAR: (0, 0, 142),
    TRUCK: (0, 0, 70),
    BUS: (0, 60, 100),
    MOTORCYCLE: (0, 0, 230),
    BICYCLE: (119, 11, 32),
}


def palette() -> list[int]:
    """768 numbers, R G B for every index of a palette picture; indices that are no class are black."""
    return [value for index in range(256) for value in COLOURS.get(index, (0, 0, 0))]
