"""Which profile fits an image: the one all of whose `match` keys agree, with the most keys."""

import msgspec

from nodediag.errors import ProfileError
from nodediag.model.image import Image, ImageType
from nodediag.profiles.load import BASE, Catalogue
from nodediag.profiles.profile import Match, Profile


def choose(image: Image, catalogue: Catalogue) -> Profile:
    """Give the profile that fits best, or the base profile marked as not fitting; raises ProfileError for a tie."""
    fitting: list[tuple[int, Profile]] = []
    if not image.contradictions:
        for profile in catalogue.all():
            agreeing = _agreeing(profile.match, image)
            if agreeing:
                fitting.append((agreeing, profile))
    if not fitting:
        return msgspec.structs.replace(catalogue.get(BASE), fits=False)
    best = max(rank for rank, _ in fitting)
    winners = [profile for rank, profile in fitting if rank == best]
    if len(winners) > 1:
        names = " and ".join(profile.name for profile in winners)
        raise ProfileError(winners[0].name, "match", f"the profiles {names} fit this node equally well")
    return winners[0]


def _agreeing(match: Match | msgspec.UnsetType, image: Image) -> int:
    """Count the keys that agree, 0 where one does not. An image type decides everything, so it outweighs the others."""
    if match is msgspec.UNSET:
        return 0
    rank = 0
    for key, weight in (("image_type", len(ImageType)), ("os_family", 1), ("gke", 1)):
        wanted = getattr(match, key)
        if wanted is msgspec.UNSET:
            continue
        if wanted != getattr(image, key):
            return 0
        rank += weight
    return rank
