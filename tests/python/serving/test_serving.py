"""nerone serve against the public client: equal bits, crowds, swaps, signals, bad requests."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cli.conftest import SEGMENTATION, segmentation_model
from nerone.deployment import deploy
from nerone.errors import ConfigurationError
from nerone.runtime.pipeline import Pipeline
from nerone.serving import InferenceServer, ServeOptions
from nerone.web.access import Access
from waiting import PATIENT_S, wait_for

pytest.importorskip("aiohttp", reason="aiohttp is not installed")
pytest.importorskip("prometheus_client", reason="prometheus-client is not installed")
pytest.importorskip("tritonclient", reason="tritonclient is not installed")
triton = pytest.importorskip("tritonclient.http", reason="tritonclient[http] is not installed")

KINDS = {"int16": "INT16", "uint8": "UINT8", "float32": "FP32", "int32": "INT32", "uint16": "UINT16", "int8": "INT8"}


def request(image: np.ndarray, *, binary: bool = True):
    found = triton.InferInput("image", list(image.shape), KINDS[image.dtype.name])
    found.set_data_from_numpy(image, binary_data=binary)
    return [found]


def ask(address: str, method: str, path: str, body: bytes | None = None, **headers: str):
    connection = http.client.HTTPConnection(address, timeout=PATIENT_S)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    try:
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def tensor(image: np.ndarray, **changes) -> dict:
    said = {"name": "image", "datatype": KINDS[image.dtype.name], "shape": list(image.shape), **changes}
    return {"inputs": [said]}


def post(address: str, said: object, data: bytes = b"", model: str = "net", length: str | None = None):
    header = said if isinstance(said, bytes) else json.dumps(said).encode()
    more = {"Inference_Header_Content_Length": length or str(len(header))} if data or length else {}
    status, text, _ = ask(address, "POST", f"/v2/models/{model}/infer", header + data, **more)
    return status, text.decode()


@pytest.mark.parametrize("result", ["classes", "probabilities"])
@pytest.mark.parametrize("binary", [True, False])
def test_bits_are_those_of_the_pipeline(start, path, images, result, binary):
    running = start(path, result=result)
    with Pipeline(path, result=result) as pipeline:
        wanted = list(pipeline.map(images))
    with triton.InferenceServerClient(running.address) as client:
        outputs = [triton.InferRequestedOutput(result, binary_data=binary)]
        for image, one in zip(images, wanted, strict=True):
            got = client.infer("net", request(image, binary=binary), outputs=outputs).as_numpy(result)
            assert got.dtype == one.dtype
            assert np.array_equal(got, one)
        batch = np.stack(images)[..., np.newaxis]
        assert np.array_equal(client.infer("net", request(batch)).as_numpy(result), np.stack(wanted))


@pytest.mark.parametrize("dtype", sorted(KINDS))
def test_every_datatype_is_the_pipelines(start, path, dtype):
    image = np.random.default_rng(1).integers(0, 100, (33, 21)).astype(dtype)
    with Pipeline(path) as pipeline:
        wanted = pipeline.run(image)
    with triton.InferenceServerClient(start(path).address) as client:
        assert np.array_equal(client.infer("net", request(image)).as_numpy("classes"), wanted)


def test_health_metadata_and_several_models(start, path, classifier, images):
    running = start(path, classifier.path)
    with triton.InferenceServerClient(running.address) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("net")
        assert not client.is_model_ready("nothing")
        assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
        assert client.get_model_metadata("net")["outputs"] == [
            {"name": "classes", "datatype": "UINT8", "shape": [16, 16]}
        ]
        assert {one["name"] for one in client.get_model_repository_index()} == {"net", "cells"}
        picture = np.random.default_rng(2).integers(0, 255, (20, 20, 3), np.uint8)
        with Pipeline(classifier.path) as pipeline:
            wanted = pipeline.run(picture)
        found = client.infer("cells", request(picture), request_id="seven")
        assert found.as_numpy("classes").tolist() == [int(wanted)]
        assert found.get_response()["id"] == "seven"


def crowd(address: str, images: list[np.ndarray], clients: int, each: int, stop=None) -> list:
    """Let clients send, again after 503; give what each request got at last."""

    def one(number: int) -> list:
        found = []
        with triton.InferenceServerClient(address, connection_timeout=PATIENT_S, network_timeout=PATIENT_S) as client:
            for turn in range(each):
                image = images[(number + turn) % len(images)]
                while True:
                    try:
                        got = client.infer("net", request(image)).as_numpy("classes")
                        found.append(((number + turn) % len(images), got))
                        break
                    except triton.InferenceServerException as error:
                        if "later" not in str(error):
                            raise
                        refused.append(1)
        return found

    refused: list[int] = []
    with ThreadPoolExecutor(clients) as threads:
        answers = [one for found in threads.map(one, range(clients)) for one in found]
    return [answers, len(refused)]


def test_sixty_four_clients_lose_nothing(start, path, images):
    with Pipeline(path) as pipeline:
        wanted = list(pipeline.map(images))
    running = start(path, queue=6)
    answers, refused = crowd(running.address, images, 64, 4)
    assert len(answers) == 256
    assert all(np.array_equal(got, wanted[number]) for number, got in answers)
    wait_for(lambda: running.server.in_flight == 0)
    text = ask(running.address, "GET", "/metrics")[1].decode()
    assert 'nerone_frames_total{model="net"} 256.0' in text
    assert 'nerone_request_seconds_count{model="net"} 256.0' in text
    assert "nerone_queue 0.0" in text
    assert "nerone_device_busy_seconds_total" in text
    if refused:
        assert f'nerone_requests_total{{model="net",status="503"}} {refused}.0' in text


def test_a_full_queue_is_503_with_retry_after(start, path, images):
    running = start(path, queue=1)
    head = b"POST /v2/models/net/infer HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n"
    with socket.create_connection(("127.0.0.1", running.server.port), PATIENT_S) as slow:
        slow.sendall(head + b"x")
        wait_for(lambda: running.server.in_flight == 1)
        status, text, headers = ask(running.address, "POST", "/v2/models/net/infer", b"{}")
        assert (status, headers["Retry-After"]) == (503, "1")
        assert "limit" in json.loads(text)["error"]
    wait_for(lambda: running.server.in_flight == 0)  # the half request went with its connection


def test_a_bundle_is_replaced_under_load(start, path, bundle, images):
    running = start(path)
    done = threading.Event()

    def swap():
        with triton.InferenceServerClient(running.address, network_timeout=PATIENT_S) as client:
            while not done.is_set():
                client.load_model("net")

    with Pipeline(path) as pipeline:
        wanted = list(pipeline.map(images))
    with ThreadPoolExecutor(1) as threads:
        swapping = threads.submit(swap)
        wait_for(lambda: running.server.models["net"].version > 1 or swapping.done())
        try:
            answers, _ = crowd(running.address, images, 8, 25)
        finally:
            done.set()
        swapping.result(PATIENT_S)
    assert len(answers) == 200
    assert all(np.array_equal(got, wanted[number]) for number, got in answers)
    assert running.server.models["net"].version > 2


def other_weights(path):
    """Put a bundle of other weights in the place of one."""
    model = segmentation_model(seed=8)
    deploy(model, preprocessing=SEGMENTATION, class_names=["background", "liver", "bone"], output=path)


def test_a_bundle_of_other_weights_answers_with_its_bits_and_no_batch_mixes(start, path, images):
    running = start(path)
    batch = np.stack(images)[..., np.newaxis]
    wanted = {}
    with Pipeline(path) as pipeline:
        wanted["1"] = np.stack(list(pipeline.map(images)))
    found = []
    done = threading.Event()

    def client() -> None:
        with triton.InferenceServerClient(running.address, network_timeout=PATIENT_S) as client:
            while not done.is_set():
                answer = client.infer("net", request(batch))
                found.append((answer.get_response()["model_version"], answer.as_numpy("classes")))

    with ThreadPoolExecutor(4) as threads:
        clients = [threads.submit(client) for _ in range(4)]
        try:
            wait_for(lambda: len(found) > 8)
            other_weights(path)
            before = len(found)
            with triton.InferenceServerClient(running.address, network_timeout=PATIENT_S) as one:
                one.load_model("net")
            assert {version for version, _ in found[:before]} == {"1"}
            wait_for(lambda: sum(version == "2" for version, _ in found) > 8)
        finally:
            done.set()
        for one in clients:
            one.result(PATIENT_S)
    with Pipeline(path) as pipeline:
        wanted["2"] = np.stack(list(pipeline.map(images)))
    assert not np.array_equal(wanted["1"], wanted["2"])
    for version, answer in found:
        assert np.array_equal(answer, wanted[version]), version


def test_a_bundle_that_is_damaged_replaces_nothing(start, path, images):
    running = start(path)
    (path / "model.xmodel").write_bytes(b"half")
    status, text, _ = ask(running.address, "POST", "/v2/repository/models/net/load")
    assert status == 400
    assert "model.xmodel" in text.decode()
    with triton.InferenceServerClient(running.address) as client:
        client.infer("net", request(images[0]))
    assert running.server.models["net"].version == 1


PROGRAM = "import sys; from nerone.cli.main import main; sys.exit(main(sys.argv[1:]))"


def launched(path, *more):
    words = [sys.executable, "-c", PROGRAM, "serve", str(path), "--port", "0", "--power", "none", *more]
    running = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = running.stdout.readline()
    assert "not a medical device" in line
    return running, line.split(" at http://")[1].split()[0]


def test_sigterm_answers_what_it_took(path, images, tmp_path):
    running, address = launched(path, "--log-json")
    answered, gone = [], []

    def client(number: int) -> None:
        while True:
            try:
                status = post(address, tensor(images[0], parameters={"binary_data_size": 2400}), images[0].tobytes())[0]
            except OSError:  # the connection was never taken, or it closed before a request went out
                gone.append(number)
                return
            answered.append(status)
            if status != 200:
                return

    threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(answered) > 30)
    # A request that was taken before the signal, and whose body comes after it, is answered too.
    body = json.dumps(tensor(images[1], data=images[1].ravel().tolist())).encode()
    head = f"POST /v2/models/net/infer HTTP/1.1\r\nHost: {address}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), PATIENT_S) as half:
        half.sendall(head + body[:10])
        wait_for(lambda: b"nerone_queue 0.0" not in ask(address, "GET", "/metrics")[1])
        os.kill(running.pid, signal.SIGTERM)
        for thread in threads:
            thread.join(PATIENT_S)
        half.sendall(body[10:])
        assert half.recv(1 << 16).startswith(b"HTTP/1.1 200")
    logged = running.communicate(timeout=PATIENT_S)[1]
    assert running.returncode == 0, logged
    assert set(answered) <= {200, 503}
    lines = [json.loads(line) for line in logged.splitlines()]
    infer = [line for line in lines if line["message"].endswith("/infer 200")]
    assert len(infer) == answered.count(200) + 1  # nothing that was computed was lost
    assert {"time", "level", "message", "model", "status", "seconds"} <= set(infer[0])


def test_sighup_opens_the_bundles_again(path):
    running, address = launched(path, "--log-json")
    try:
        os.kill(running.pid, signal.SIGHUP)
        wait_for(lambda: json.loads(ask(address, "GET", "/v2/models/net")[1])["versions"] == ["2"])
    finally:
        os.kill(running.pid, signal.SIGTERM)
        assert running.wait(PATIENT_S) == 0
        running.communicate()


IMAGE = np.zeros((4, 4), np.int16)
BAD = {
    "no JSON": (b"{", b"", "JSON"),
    "deep JSON": (b"[" * 100_000, b"", "JSON"),
    "no inputs": ({}, b"", "inputs"),
    "an unknown input": (tensor(IMAGE, name="picture"), b"", "'picture'; expected image"),
    "no image": ({"inputs": []}, b"", "'image' is missing"),
    "an unknown datatype": (tensor(IMAGE, datatype="FP64"), b"", "FP64"),
    "a negative shape": (tensor(IMAGE, shape=[-4, 4]), b"", "shape"),
    "a bool in the shape": (tensor(IMAGE, shape=[True, 4]), b"", "shape"),
    "a shape that overflows": (tensor(IMAGE, shape=[2**30] * 8, parameters={"binary_data_size": 0}), b"", "bytes"),
    "a size that lies": (tensor(IMAGE, parameters={"binary_data_size": 31}), bytes(31), "31 bytes"),
    "a tensor that is cut off": (tensor(IMAGE, parameters={"binary_data_size": 32}), bytes(31), "cut off"),
    "bytes behind": (tensor(IMAGE, parameters={"binary_data_size": 32}), bytes(33), "1 bytes are left"),
    "too few numbers": (tensor(IMAGE, data=[1, 2]), b"", "16 numbers"),
    "numbers outside": (tensor(IMAGE, data=[40000] * 16), b"", "INT16"),
    "words": (tensor(IMAGE, data=["a"] * 16), b"", "numbers"),
    "too many axes": (tensor(IMAGE, shape=[1, 1, 1, 4, 4], data=[0] * 16), b"", "(H, W)"),
    "wrong channels": (tensor(IMAGE, shape=[2, 2, 4], data=[0] * 16), b"", "channels"),
    "an unknown output": ({**tensor(IMAGE, data=[0] * 16), "outputs": [{"name": "boxes"}]}, b"", "'boxes'"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_requests_are_named(start, path, case):
    said, data, words = BAD[case]
    status, text = post(start(path).address, said, data)
    assert status == 400, text
    error = json.loads(text)["error"]
    assert words in error
    assert "\n" not in error


def test_other_refusals_are_named(start, path, images):
    running = start(path, max_bytes=1000)
    assert post(running.address, {}, model="nothing")[0] == 404
    status, text = post(running.address, b"{" + b" " * 2000)
    assert (status, "1000 bytes" in text) == (413, True)
    assert post(running.address, b"{}", length="999999")[0] == 400
    status, text, _ = ask(running.address, "POST", "/v2/models/net/infer", b"no gzip", Content_Encoding="gzip")
    assert (status, "not encoded" in json.loads(text)["error"]) == (400, True)
    assert ask(running.address, "GET", "/v2/models/net/infer")[0] == 405
    assert ask(running.address, "GET", "/v2/models/net/versions/9")[0] == 404
    assert ask(running.address, "GET", "/v2", Host="elsewhere.example")[0] == 403


def test_slow_clients_are_ended(start, path):
    running = start(path, access=Access(port=0, headers_s=0.5, stall_s=0.5))
    head = b"POST /v2/models/net/infer HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n"
    for data, status in ((head + b"x", b"408"), (head[:30], b"")):
        with socket.create_connection(("127.0.0.1", running.server.port), PATIENT_S) as slow:
            slow.sendall(data)
            assert status in slow.recv(1 << 16)
    wait_for(lambda: running.server.in_flight == 0)


def test_a_token_is_asked(start, path, images):
    running = start(path, access=Access(port=0, token="open-sesame"))
    assert ask(running.address, "GET", "/v2")[0] == 401
    assert ask(running.address, "GET", "/metrics", Authorization="Bearer wrong")[0] == 401
    with triton.InferenceServerClient(running.address) as client:
        bearer = {"Authorization": "Bearer open-sesame"}
        assert client.infer("net", request(images[0]), headers=bearer).as_numpy("classes").shape == (16, 16)


def test_tls(start, path, tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-days", "2"]
    subprocess.run([*words, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    running = start(path, certificate=str(certificate), key=str(key))
    factory = ssl._create_unverified_context
    with triton.InferenceServerClient(running.address, ssl=True, insecure=True, ssl_context_factory=factory) as client:
        assert client.is_server_live()


def test_options_that_cannot_work(path, tmp_path):
    with pytest.raises(ConfigurationError, match="go together"):
        ServeOptions(certificate="a.pem")
    with pytest.raises(ConfigurationError, match="queue is 0; expected a whole number, 1 to"):
        ServeOptions(queue=0)
    with pytest.raises(ConfigurationError, match="two bundles are called 'net'"):
        InferenceServer([path, path], Access(port=0), ServeOptions(power="none"))
    with pytest.raises(ConfigurationError, match="cannot be used"):
        InferenceServer([path], Access(), ServeOptions(certificate=str(tmp_path), key=str(tmp_path)))
