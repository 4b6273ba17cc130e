"""Talking to a PACS: QIDO, WADO and STOW over DICOMweb, C-ECHO and C-STORE over DIMSE.

Credentials come from the environment alone: IATROS_DICOMWEB_TOKEN (sent as a bearer token), or
IATROS_DICOMWEB_USER and IATROS_DICOMWEB_PASSWORD. They travel over https, or http on this machine. The server's
certificate is verified; REQUESTS_CA_BUNDLE names the certificates of a hospital's own authority. DIMSE has
neither credentials nor encryption here: keep it inside the hospital's network.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from iatros.core.errors import (
    AuthenticationError,
    InputError,
    LimitError,
    MissingExtraError,
    RequestError,
    StorageError,
)

TIMEOUT_S = (10.0, 120.0)
"""Seconds to connect, and seconds without a byte."""
MAX_SERIES = 2000
MAX_INSTANCES = 100_000
MAX_BYTES = 64 * 1024**3
"""What one query may bring: series, objects, and bytes."""

_AET = re.compile(r"(?P<title>[^@\\\s][^@\\]{0,15})@(?P<host>[^@:\s]+|\[[0-9a-fA-F:]+\]):(?P<port>\d{1,5})")
_CALLING = "IATROS"
_OF_THE_OBJECT = (400, 409, 415)
"""HTTP answers to STOW-RS that concern the one object, not the server."""


@dataclass(frozen=True)
class Stored:
    """What a PACS said about one object. `status` is stored, warning or refused, `code` the PACS's own."""

    sop_class_uid: str
    sop_instance_uid: str
    place: str
    status: str
    code: str


class DicomWeb:
    """A DICOMweb server at the address of its services, such as `https://pacs/dicom-web`."""

    def __init__(self, address: str) -> None:
        self.place = checked_address(address)
        self._client = _client(self.place)

    def find_series(self, filters: dict[str, str], *, limit: int | None = None) -> list[Any]:
        """Headers of the series that match (QIDO-RS), at most `limit`.

        Without a limit, more than `MAX_SERIES` raise LimitError.
        """
        most = MAX_SERIES + 1 if limit is None else min(limit, MAX_SERIES)
        found: dict[str, Any] = {}
        with _http_errors(self.place, "find series"):
            # A server may give fewer than asked for; it is asked for the rest until it names nothing new.
            while len(found) < most:
                before = len(found)
                page = self._client.search_for_series(
                    search_filters=filters, limit=most - before, offset=before or None
                )
                found |= {str(one.SeriesInstanceUID): one for one in map(_dataset, page)}
                if len(found) == before:
                    break
        if limit is None and len(found) > MAX_SERIES:
            hint = "narrow the query, or add limit="
            raise LimitError(f"more than {MAX_SERIES} series match", where=self.place, hint=hint)
        return list(found.values())[:most]

    def retrieve_series(self, study_uid: str, series_uid: str) -> Iterator[Any]:
        """The objects of a series as they are stored (WADO-RS), one at a time."""
        with _http_errors(self.place, "retrieve a series"):
            yield from self._client.iter_series(
                study_uid, series_uid, media_types=(("application/dicom", "*"),)
            )

    def retrieve(self, study_uid: str, series_uid: str, instance_uid: str) -> Any:
        """One object as it is stored (WADO-RS)."""
        with _http_errors(self.place, "retrieve an object"):
            return self._client.retrieve_instance(
                study_uid, series_uid, instance_uid, media_types=(("application/dicom", "*"),)
            )

    def store(self, objects: Sequence[Any]) -> list[Stored]:
        """Store each object by itself (STOW-RS), so that one that is refused does not hide the others."""
        return [self._store(made) for made in objects]

    def _store(self, made: Any) -> Stored:
        names = (str(made.SOPClassUID), str(made.SOPInstanceUID), self.place)
        refused = _imported("requests").exceptions.HTTPError
        with _http_errors(self.place, "store an object", writing=True):
            try:
                answer = self._client.store_instances([made], study_instance_uid=str(made.StudyInstanceUID))
            except refused as error:
                if error.response.status_code not in _OF_THE_OBJECT:
                    raise
                return Stored(*names, "refused", f"HTTP {error.response.status_code}")
        for item in answer.get("FailedSOPSequence", []):
            return Stored(*names, "refused", f"{int(item.get('FailureReason') or 0):04X}")
        for item in answer.get("ReferencedSOPSequence", []):
            if item.get("WarningReason"):
                return Stored(*names, "warning", f"{int(item.WarningReason):04X}")
        return Stored(*names, "stored", "0000")


class Dimse:
    """A DICOM node `AE@HOST:PORT`."""

    def __init__(self, address: str) -> None:
        found = _AET.fullmatch(address)
        if found is None or not 0 < int(found["port"]) < 65536:
            raise RequestError(
                "cstore is not the address of a DICOM node",
                hint="write it as AE@HOST:PORT, such as ORTHANC@pacs.local:4242",
            )
        self.title, self.host, self.port = found["title"], found["host"].strip("[]"), int(found["port"])
        self.place = f"{self.title}@{self.host}:{self.port}"

    def echo(self) -> None:
        """Ask whether the node answers (C-ECHO); StorageError where it does not."""
        from pynetdicom.sop_class import Verification

        with self._association([(Verification, None)]) as association:
            status = association.send_c_echo()
            if getattr(status, "Status", None) != 0:
                raise StorageError("the node does not answer C-ECHO", where=self.place)

    def store(self, objects: Sequence[Any]) -> list[Stored]:
        """Store objects (C-STORE); each has the status that the node gave, in hexadecimal (PS3.7 annex C)."""
        if not objects:
            return []
        contexts = {(made.SOPClassUID, made.file_meta.TransferSyntaxUID) for made in objects}
        with self._association(sorted(contexts)) as association:
            return [self._store(association, made) for made in objects]

    def _store(self, association: Any, made: Any) -> Stored:
        names = (str(made.SOPClassUID), str(made.SOPInstanceUID), self.place)
        try:
            status = association.send_c_store(made)
        except ValueError:  # the node accepted no context for this class
            return Stored(*names, "refused", "0122")
        if "Status" not in status:
            raise StorageError(
                "the node went away while an object was sent", where=self.place, hint="store again"
            )
        code = int(status.Status)
        kind = (
            "stored"
            if code == 0
            else "warning"
            if code >> 12 == 0xB or code in (1, 0x107, 0x116)
            else "refused"
        )
        return Stored(*names, kind, f"{code:04X}")

    @contextlib.contextmanager
    def _association(self, contexts: Sequence[tuple[Any, Any]]) -> Iterator[Any]:
        pynetdicom = _imported("pynetdicom")
        entity = pynetdicom.AE(ae_title=_CALLING)
        entity.connection_timeout = TIMEOUT_S[0]
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = TIMEOUT_S[1]
        for kind, syntax in contexts[:128]:
            entity.add_requested_context(kind, syntax or pynetdicom.DEFAULT_TRANSFER_SYNTAXES)
        association = entity.associate(self.host, self.port, ae_title=self.title)
        if not association.is_established:
            reason = "refuses the association" if association.is_rejected else "cannot be reached"
            raise StorageError(
                f"the DICOM node {reason}",
                where=self.place,
                hint=f"check host, port and AE title, and that it knows {_CALLING}",
            )
        try:
            yield association
        finally:
            association.release()


def checked_address(address: str) -> str:
    """`address` without a slash at its end; RequestError where it is no http(s) address, or holds credentials."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise RequestError("a DICOMweb address begins with https:// or http:// and names a host")
    if "@" in parts.netloc:
        raise RequestError(
            "a DICOMweb address must not hold a password, because addresses are logged",
            hint="set IATROS_DICOMWEB_USER and IATROS_DICOMWEB_PASSWORD, or IATROS_DICOMWEB_TOKEN",
        )
    if parts.query or parts.fragment:
        raise RequestError("the address of a DICOMweb server has no query", where=parts.hostname)
    return address.rstrip("/")


def _client(address: str) -> Any:
    requests = _imported("requests")
    client_class = _imported("dicomweb_client").DICOMwebClient
    session = requests.Session()
    # Never None: requests would look for a password in a .netrc file.
    session.auth = _no_credentials
    token = os.environ.get("IATROS_DICOMWEB_TOKEN")
    user = os.environ.get("IATROS_DICOMWEB_USER")
    if (token or user) and not _is_private(address):
        raise RequestError(
            "credentials would travel unencrypted",
            where=address,
            hint="use https, or send no credentials",
        )
    if token:
        session.auth = _Bearer(token)
    elif user:
        session.auth = requests.auth.HTTPBasicAuth(
            user.encode(), os.environ.get("IATROS_DICOMWEB_PASSWORD", "").encode()
        )
    client = client_class(url=address, session=session, timeout=TIMEOUT_S)
    client.set_http_retry_params(retry=True, max_attempts=3, wait_exponential_multiplier=150)
    return client


class _Bearer:
    """Puts a token into a request; requests drops it when a server sends us to another host."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _no_credentials(request: Any) -> Any:
    return request


def _is_private(address: str) -> bool:
    """Whether what is sent to `address` cannot be read on the way."""
    parts = urlsplit(address)
    if parts.scheme == "https" or parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


@contextlib.contextmanager
def _http_errors(place: str, doing: str, *, writing: bool = False) -> Iterator[None]:
    """Errors of the network as errors of ours: where and what, never the query, which can name a patient."""
    requests = _imported("requests")
    retrying = _imported("retrying")
    invalid = _imported("pydicom.errors").InvalidDicomError
    kind = StorageError if writing else InputError
    try:
        yield
    except requests.exceptions.SSLError:
        hint = "name your authority's certificates in REQUESTS_CA_BUNDLE"
        raise kind("the server's certificate cannot be verified", where=place, hint=hint) from None
    except requests.exceptions.HTTPError as error:
        raise _refusal(error.response.status_code, place, doing, kind) from None
    except (requests.exceptions.ConnectionError, requests.exceptions.Timeout):
        hint = "check host, port and network"
        raise kind("the DICOMweb server cannot be reached", where=place, hint=hint) from None
    except (retrying.RetryError, requests.exceptions.RequestException) as error:
        if isinstance(error, ValueError):  # no JSON where some was expected
            raise _odd(place, doing, kind, error) from None
        hint = "try again later"
        raise kind(f"the DICOMweb server failed to {doing}", where=place, hint=hint) from None
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, invalid) as error:
        raise _odd(place, doing, kind, error) from None


def _odd(
    place: str, doing: str, kind: type[InputError] | type[StorageError], error: Exception
) -> InputError | StorageError:
    said = f"the answer of the server to {doing} is not DICOMweb ({type(error).__name__})"
    return kind(said, where=place, hint="check that the address is the root of the DICOMweb services")


def _refusal(status: int, place: str, doing: str, kind: type[InputError] | type[StorageError]) -> Exception:
    if status in (401, 403):
        hint = "set IATROS_DICOMWEB_TOKEN, or IATROS_DICOMWEB_USER and IATROS_DICOMWEB_PASSWORD"
        return AuthenticationError(
            f"the DICOMweb server does not let us {doing} ({status})", where=place, hint=hint
        )
    if status == 404:
        hint = "check that the address is the root of the DICOMweb services"
        return kind(f"the DICOMweb server has nothing there to {doing} (404)", where=place, hint=hint)
    return kind(f"the DICOMweb server failed to {doing} ({status})", where=place)


def _dataset(answer: dict[str, Any]) -> Any:
    from pydicom.dataset import Dataset

    return Dataset.from_json(answer)


def _imported(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError(
            f"{name} is not installed", hint="python -m pip install 'iatros[imaging]'"
        ) from error
