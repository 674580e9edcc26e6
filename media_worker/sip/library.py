"""pjsua2's extension module as the C library that it also is: it exports pjsip's own functions."""

from __future__ import annotations

import ctypes
import functools
import sys
from ctypes import c_char_p, c_int, c_void_p
from typing import Any

import pjsua2 as pj


def library_path() -> str:
    """File of the loaded extension."""
    _ = pj.Endpoint  # the wheel loads the extension at first use
    return next(
        module.__file__
        for name, module in list(sys.modules.items())
        if name.rpartition(".")[2] == "_pjsua2" and module.__file__
    )


@functools.cache
def c_library() -> Any:
    """The loaded extension, with the types of what is used of it."""
    library = ctypes.CDLL(library_path())
    library.pj_log_set_level.argtypes = [c_int]
    library.pj_log_set_level.restype = None
    library.pjsua_get_pjsip_endpt.restype = c_void_p
    library.pjsua_pool_create.restype = c_void_p
    library.pjsua_pool_create.argtypes = [c_char_p, ctypes.c_size_t, ctypes.c_size_t]
    library.pjsip_retry_after_hdr_create.restype = c_void_p
    library.pjsip_retry_after_hdr_create.argtypes = [c_void_p, c_int]
    library.pj_list_insert_before.argtypes = [c_void_p, c_void_p]
    library.pj_list_insert_before.restype = None
    library.pjsip_rx_data_get_info.restype = c_char_p
    library.pjsip_rx_data_get_info.argtypes = [c_void_p]
    library.pjsip_endpt_register_module.argtypes = [c_void_p, c_void_p]
    library.pjsip_endpt_respond_stateless.argtypes = [
        c_void_p,
        c_void_p,
        c_int,
        c_void_p,
        c_void_p,
        c_void_p,
    ]
    return library
