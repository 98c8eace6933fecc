"""The Python package `webuiapi` against the played Forge."""

import threading
import time
from urllib.parse import urlparse

import webuiapi
from clientcheck import check, end, endpoints

TOLD = endpoints()
place = urlparse(TOLD["api"]["myia"])
api = webuiapi.WebUIApi(host=place.hostname, port=place.port, sampler="Euler", steps=5)


@check("webuiapi reads the lists")
def _():
    assert "sd_xl_base_1.0" in " ".join(api.util_get_model_names())
    assert "DPM++ 2M" in api.util_get_sampler_names()
    assert "Karras" in [s["label"] for s in api.get_schedulers()]
    assert api.get_upscalers()[0]["name"] == "None"
    assert api.get_memory()["cuda"]["system"]["total"] == 16384 * 1024 * 1024


@check("webuiapi selects a model")
def _():
    api.util_set_model("dreamshaper")
    assert "dreamshaper" in api.util_get_current_model()


@check("webuiapi makes pictures that depend on the seed")
def _():
    one = api.txt2img(prompt="a fox", seed=5, width=128, height=64)
    two = api.txt2img(prompt="a fox", seed=5, width=128, height=64)
    other = api.txt2img(prompt="a fox", seed=6, width=128, height=64)
    assert one.image.size == (128, 64)
    assert one.image.tobytes() == two.image.tobytes() != other.image.tobytes()
    assert one.info["seed"] == 5 and one.image.getextrema()[0][0] != one.image.getextrema()[0][1]
    text = api.png_info(one.image).info
    assert text.startswith("a fox\n") and "Seed: 5" in text, text


@check("webuiapi makes batches")
def _():
    many = api.txt2img(prompt="hens", batch_size=2, n_iter=2, width=64, height=64)
    assert len(many.images) == 4


@check("webuiapi follows progress and interrupts")
def _():
    done = {}
    work = threading.Thread(target=lambda: done.update(result=api.txt2img(prompt="slow", steps=400, width=512, height=512)))
    work.start()
    deadline = time.time() + 20
    while api.get_progress()["progress"] < 0.03 and time.time() < deadline:
        time.sleep(0.05)
    assert api.get_progress()["state"]["sampling_steps"] == 400
    api.interrupt()
    work.join(20)
    assert not work.is_alive() and done["result"].image is not None


@check("webuiapi passes a picture through img2img")
def _():
    first = api.txt2img(prompt="a", width=64, height=64).image
    assert api.img2img(images=[first], prompt="b", width=64, height=64).image.size == (64, 64)


end()
