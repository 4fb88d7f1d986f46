"""Which profile fits an image: the one all of whose `match` keys agree, with the most keys."""

import msgspec

from nodediag.errors import ProfileError
from nodediag.model.image import Image, ImageType
from nodediag.profiles.load import BASE, Catalogue
from nodediag.profiles.profile import Match, Profile


def choose(image: Image, catalogue: Catalogue) -> Profile:
    """Give the profile that fits best, or the base profile marked as not fitting; raises ProfileError for a tie."""
    ranks = {} if image.contradictions else {name: _agreeing(match, image) for name, match in catalogue.matches()}
    best = max(ranks.values(), default=0)
    if not best:
        return msgspec.structs.replace(catalogue.get(BASE), fits=False)
    winners = [name for name, rank in ranks.items() if rank == best]
    if len(winners) > 1:
        raise ProfileError(winners[0], "match", f"the profiles {' and '.join(winners)} fit this node equally well")
    return catalogue.get(winners[0])


def _agreeing(match: Match, image: Image) -> int:
    """Count the keys that agree, 0 where one does not. An image type decides everything, so it outweighs the others."""
    rank = 0
    for key, weight in (("image_type", len(ImageType)), ("os_family", 1), ("os_id", 1), ("gke", 1)):
        wanted = getattr(match, key)
        if wanted is msgspec.UNSET:
            continue
        if wanted != getattr(image, key):
            return 0
        rank += weight
    return rank
