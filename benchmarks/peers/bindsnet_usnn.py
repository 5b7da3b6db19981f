"""Run inside the peer's own environment: BindsNET's DiehlAndCook2015 on given spikes, and timed on images.

Reads JOB.npz (w, spikes, images, timesteps, inhibition), writes RESULT.npz (train_fired, w and theta after it,
infer_fired with them, and the seconds of both on the images). Its random
choice among neurons that cross the threshold at once is replaced by the first of them, as ours is.
"""

import sys
import time

import numpy as np
import torch

_schemas = torch.library.Library("torchvision", "DEF")  # the wheel of torchvision looks for both on import
_schemas.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
_schemas.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from bindsnet.encoding import PoissonEncoder  # noqa: E402
from bindsnet.models import DiehlAndCook2015  # noqa: E402
from bindsnet.network.monitors import Monitor  # noqa: E402


def network(job):
    """Return a network with the given weights, and a monitor of its excitatory spikes."""
    inputs, neurons = job["w"].shape
    model = DiehlAndCook2015(
        n_inpt=inputs, n_neurons=neurons, inh=float(job["inhibition"]), inpt_shape=(1, inputs), batch_size=1
    )
    with torch.no_grad():
        weight = model.connections["X", "Ae"].pipeline[0]
        weight.value.copy_(torch.from_numpy(job["w"]))
    monitor = Monitor(model.layers["Ae"], ["s"], time=int(job["timesteps"]))
    model.add_monitor(monitor, name="Ae")
    return model, monitor


def shown(model, spikes):
    """Show one image's spikes ``(timesteps, inputs)``, and forget the state of the neurons."""
    model.run(inputs={"X": spikes[:, None, None, :]}, time=len(spikes))
    model.reset_state_variables()


def exact(model, monitor, spikes, learning):
    """Return the excitatory spikes on given input spikes, ``(images, timesteps, neurons)``."""
    model.train(learning)
    fired = []
    for image in torch.from_numpy(spikes):
        model.run(inputs={"X": image[:, None, None, :]}, time=len(image))
        fired.append(monitor.get("s").reshape(len(image), -1).numpy().astype(np.uint8))
        model.reset_state_variables()
    return np.stack(fired)


def timed(job, learning):
    """Return seconds for each pass over the images, the encoder included, after one image to warm up."""
    model, _ = network(job)
    model.train(learning)
    steps = int(job["timesteps"])
    encoder = PoissonEncoder(time=steps, dt=1.0)
    images = torch.from_numpy(job["images"].astype(np.float32)) * (128.0 / 255.0)
    shown(model, encoder(images[0]))
    seconds = []
    for _ in range(int(job["repeats"])):
        start = time.process_time()
        for image in images:
            shown(model, encoder(image))
        seconds.append(time.process_time() - start)
    return seconds


def main():
    """Run the job."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    torch.multinomial = lambda chances, _: chances.argmax(dim=1, keepdim=True)
    with np.load(sys.argv[1]) as archive:
        job = dict(archive)
    model, monitor = network(job)
    result = {"train_fired": exact(model, monitor, job["spikes"], learning=True)}
    result["w"] = model.connections["X", "Ae"].pipeline[0].value.detach().numpy().copy()
    result["theta"] = model.layers["Ae"].theta.numpy().copy()
    result["infer_fired"] = exact(model, monitor, job["spikes"], learning=False)
    result["train_seconds"], result["infer_seconds"] = timed(job, True), timed(job, False)
    np.savez(sys.argv[2], **result)


if __name__ == "__main__":
    main()
