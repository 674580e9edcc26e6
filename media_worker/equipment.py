"""What a worker is equipped with at its start."""

from __future__ import annotations

import asyncio

import structlog

from media_worker.audio.neural import NeuralError, NeuralVad
from media_worker.config import WorkerConfig
from media_worker.sip.certificate import ensure_certificate
from media_worker.sip.config import SipConfig, SipError

log = structlog.get_logger(__name__)


async def load_neural_vad(clock_rate: int) -> NeuralVad | None:
    """None where this machine has none. In a thread: it takes some 200 ms, which no call shall
    feel."""
    try:
        return await asyncio.to_thread(NeuralVad, clock_rate)
    except NeuralError as error:
        log.error("worker.no_neural_vad", used_instead="webrtc", error=str(error))
        return None


def sip_config_of(config: WorkerConfig) -> SipConfig:
    """With a certificate, which is made where there is none. Raises SipError."""
    try:
        certificate, key = ensure_certificate(config.folder / "tls", config.sip_address)
    except OSError as error:
        raise SipError(str(error)) from None
    return SipConfig(
        address=config.sip_address,
        public_address=config.sip_public_address,
        port=config.sip_port,
        tls_port=config.tls_port,
        tls_certificate=certificate,
        tls_key=key,
        rtp_port=config.rtp_port,
        max_calls=config.max_calls,
        clock_rate=config.clock_rate,
    )
