"""The limit of BLAS threads while kernels are rounded."""

from __future__ import annotations

import numpy as np
import pytest

from nerone.quantization import blas


def test_holds_openblas_to_one_thread_and_gives_back_what_it_had():
    functions = blas._openblas()
    if functions is None:
        pytest.skip("numpy is linked with another BLAS than OpenBLAS")
    get, put = functions
    before = get()
    put(2)
    try:
        with blas.one_blas_thread():
            assert get() == 1
            with blas.one_blas_thread():
                assert get() == 1
            assert get() == 1
        assert get() == 2
        with pytest.raises(ValueError, match="inside"), blas.one_blas_thread():
            raise ValueError("inside")
        assert get() == 2
    finally:
        put(before)


def test_leaves_another_blas_alone(monkeypatch):
    monkeypatch.setattr(blas, "_openblas", lambda: None)
    with blas.one_blas_thread():
        assert np.linalg.norm(np.ones(4)) == 2.0
