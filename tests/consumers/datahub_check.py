"""Reads a file of proposals with DataHub's own classes, stricter than its `check metadata-file`.

Refused are unknown aspects, unknown fields (its reader drops them silently), and malformed URNs
and patches.
"""

import json
import sys
from pathlib import Path

from datahub.emitter.aspect import ASPECT_MAP
from datahub.emitter.mcp_patch_builder import GenericJsonPatch
from datahub.ingestion.source.file import read_metadata_file
from datahub.metadata.urns import Urn


def kept(written: object, read: object, where: str = "") -> None:
    """Everything that was written has to be there after reading."""
    if isinstance(written, dict):
        assert isinstance(read, dict), where
        for key, value in written.items():
            assert key in read, f"{where}/{key} was dropped"
            kept(value, read[key], f"{where}/{key}")
    elif isinstance(written, list):
        assert isinstance(read, list), where
        for number, pair in enumerate(zip(written, read, strict=True)):
            kept(*pair, where=f"{where}/{number}")
    else:
        assert written == read, (where, written, read)


path = Path(sys.argv[1])
count = 0
for raw, proposal in zip(
    json.loads(path.read_text("utf-8")), read_metadata_file(path), strict=True
):
    assert proposal.validate()
    urn = Urn.from_string(proposal.entityUrn)
    assert (str(urn), urn.entity_type) == (proposal.entityUrn, proposal.entityType)
    assert proposal.aspectName in ASPECT_MAP
    value = json.loads(proposal.aspect.value)
    if proposal.changeType == "PATCH":
        GenericJsonPatch.from_dict({"arrayPrimaryKeys": {}, "patch": value})
        assert value == json.loads(raw["aspect"]["value"])
    else:
        aspect = ASPECT_MAP[proposal.aspectName].from_obj(value)
        assert aspect.validate()
        kept(raw["aspect"]["json"], aspect.to_obj())
    count += 1
print(count)
