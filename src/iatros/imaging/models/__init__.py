"""The networks that can be trained on images: one line each, imported when asked for."""

from iatros.core.registry import Registry

MODELS = Registry("model", group="iatros.imaging.models")

_HERE = "iatros.imaging.models"

MODELS.add(
    "cnn",
    f"{_HERE}.cnn:Cnn",
    "two convolutions and a dense layer: the classic, kept as the baseline",
    extra="imaging",
)
MODELS.add("resnet", f"{_HERE}.resnet:ResNet", "residual network, for images or volumes", extra="imaging")
MODELS.add(
    "densenet",
    f"{_HERE}.densenet:DenseNet",
    "densely connected network, for images or volumes",
    extra="imaging",
)
MODELS.add(
    "cnn-rnn",
    f"{_HERE}.cnn_rnn:CnnRnn",
    "convolutions over each slice, a recurrent network over the slices",
    extra="imaging",
)
MODELS.add(
    "fusion", f"{_HERE}.fusion:Fusion", "an image and a row of the patient table together", extra="imaging"
)
MODELS.add(
    "unet", f"{_HERE}.unet:UNet", "U-Net that outlines a finding, in images or volumes", extra="imaging"
)
