"""The Python package `comfy-api-simplified` against the played ComfyUI."""

import io
import os
import tempfile
import time

from clientcheck import check, end, endpoints
from comfy_api_simplified import ComfyApiWrapper, ComfyWorkflowWrapper
from comfy_api_simplified.exceptions import ComfyApiError
from PIL import Image

TOLD = endpoints()
api = ComfyApiWrapper(TOLD["api"]["comfyui"])


def node(kind, title, **inputs):
    return {"class_type": kind, "inputs": inputs, "_meta": {"title": title}}


def txt2img(seed):
    return ComfyWorkflowWrapper({
        "1": node("CheckpointLoaderSimple", "Load", ckpt_name="sd_xl_turbo_1.0_fp16.safetensors"),
        "2": node("CLIPTextEncode", "Positive", text="a lighthouse at dusk", clip=["1", 1]),
        "3": node("CLIPTextEncode", "Negative", text="blurry", clip=["1", 1]),
        "4": node("EmptyLatentImage", "Latent", width=256, height=128, batch_size=1),
        "5": node("KSampler", "Sampler", model=["1", 0], positive=["2", 0], negative=["3", 0], latent_image=["4", 0],
                  seed=seed, steps=3, cfg=2.0, sampler_name="dpmpp_sde", scheduler="karras", denoise=1.0),
        "6": node("VAEDecode", "Decode", samples=["5", 0], vae=["1", 2]),
        "7": node("SaveImage", "Save", images=["6", 0], filename_prefix="client/test"),
    })


def picture(workflow):
    """Queues, polls the history, and fetches the first picture."""
    prompt_id = api.queue_prompt(workflow)["prompt_id"]
    for _ in range(200):
        history = api.get_history(prompt_id)
        if history:
            break
        time.sleep(0.1)
    entry = history[prompt_id]
    assert entry["status"]["status_str"] == "success", entry["status"]
    file = entry["outputs"]["7"]["images"][0]
    return Image.open(io.BytesIO(api.get_image(file["filename"], file["subfolder"], file["type"])))


@check("comfy-api-simplified makes pictures that depend on the seed")
def _():
    one, other = picture(txt2img(1)), picture(txt2img(2))
    assert one.size == (256, 128) and one.tobytes() != other.tobytes()
    assert '"class_type":"KSampler"' in one.text["prompt"].replace(" ", "")


@check("comfy-api-simplified waits on the socket")
def _():
    smoke = ComfyWorkflowWrapper({
        "1": node("EmptyImage", "Red", width=64, height=64, batch_size=1, color=16711680),
        "2": node("SaveImage", "Save", images=["1", 0], filename_prefix="client-smoke"),
    })
    files = api.queue_and_wait_images(smoke, "Save")
    name, content = next(iter(files.items()))
    assert name == "client-smoke_00001_.png"
    assert Image.open(io.BytesIO(content)).convert("RGB").getpixel((0, 0)) == (255, 0, 0)


@check("comfy-api-simplified reads descriptions and statistics")
def _():
    assert "euler" in api.get_object_info("KSampler")["KSampler"]["input"]["required"]["sampler_name"][0]
    assert api.get_system_stats()["system"]["comfyui_version"] == "0.3.64"
    assert api.get_queue() == {"queue_running": [], "queue_pending": []}


@check("comfy-api-simplified uploads a picture, which a graph loads")
def _():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "sent.png")
        Image.new("RGB", (32, 16), (10, 200, 30)).save(path)
        told = api.upload_image(path, subfolder="clients")
    assert told == {"name": "sent.png", "subfolder": "clients", "type": "input"}, told
    copy = ComfyWorkflowWrapper({
        "1": node("LoadImage", "Load", image="clients/sent.png"),
        "2": node("SaveImage", "Save", images=["1", 0], filename_prefix="client-copy"),
    })
    content = next(iter(api.queue_and_wait_images(copy, "Save").values()))
    copied = Image.open(io.BytesIO(content)).convert("RGB")
    assert copied.size == (32, 16) and copied.getpixel((0, 0)) == (10, 200, 30)


@check("comfy-api-simplified sees refusals")
def _():
    wrong = txt2img(1)
    wrong.set_node_param("Load", "ckpt_name", "missing.safetensors")
    try:
        api.queue_prompt(wrong)
    except ComfyApiError as error:
        assert "400" in str(error)
    else:
        raise AssertionError("no error")


end()
