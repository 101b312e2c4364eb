"""The roots of what reads finished runs, sets and images."""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING


@dataclass
class ContentConfig:
    """Root of conf/content.yaml.

    Attributes:
        run: folder of a trained translator.
        judge: folder of a segmenter trained on real images.
        data: whose source is judged, one of conf/data; by default the run's own.
        split: train or val, of the source.
        average: judge the averaged weights; false takes the last step's.
        worst: images in the picture.
        accelerator: cpu, cuda, mps, or auto.
    """

    run: str = MISSING
    judge: str = MISSING
    data: Any = None
    split: str = "val"
    average: bool = True
    worst: int = 10
    accelerator: str = "auto"


@dataclass
class ExplainConfig:
    """Root of conf/explain.yaml.

    Attributes:
        run: folder of a trained run, or its address on the Hub, or of a sweep, whose rows stand side by side; or else:
        weights: a file of src.export, or its address, or a generator of the released CUT or CycleGAN code.
        input: an image, or a folder of images at any depth.
        output: folder for the pictures, a PNG an image.
        average: show the output of the averaged weights; false takes the last step's.
        accelerator: cpu, cuda, mps, or auto.
    """

    run: str | None = None
    weights: str | None = None
    input: str = MISSING
    output: str = MISSING
    average: bool = True
    accelerator: str = "auto"


@dataclass
class StudyConfig:
    """Root of conf/study.yaml.

    Attributes:
        data: one of conf/data; its source must have class maps, and its target.
        runs: folders of trained translators, or of sweeps, or addresses on the Hub; an empty list trains on the
            references alone.
        seeds: of the segmenter.
        paired: on the set of a run the segmenter of that run's own seed alone is trained, on other sets those of all
            seeds: a row of as many translators as there are seeds, for a third of the trainings with three.
        segment: settings of conf/segment.yaml, as on its command line.
        output: folder for sets, segmenters and the table.
        average: translate with the averaged weights; false takes the last step's.
        accelerator: for translating: cpu, cuda, mps, or auto.
    """

    data: Any = MISSING
    runs: list[str] = MISSING
    seeds: list[int] = field(default_factory=lambda: [0])
    paired: bool = False
    segment: list[str] = field(default_factory=list)
    output: str = MISSING
    average: bool = True
    accelerator: str = "auto"


@dataclass
class TranslateConfig:
    """Root of conf/translate.yaml.

    Attributes:
        run: folder of a trained run, or its address on the Hub, hf://user/name[@revision]; or else:
        weights: a file of src.export, or its address, or a generator of the released CUT or CycleGAN code.
        input: an image, a video, a folder of images at any depth, or a pattern of images and videos; or else:
        split: train or val: of a labelled source set, which is written anew with its class maps.
        data: the set, one of conf/data; by default the run's own.
        output: folder for what is translated.
        format: of translated images: png, jpeg or webp.
        overwrite: replace what other weights, or somebody else, left in the way of the output.
        average: use the averaged weights, as the run's own scores do; false takes the last step's.
        accelerator: cpu, cuda, mps, or auto.
        memory_limit: GiB the computation of a frame may take; above it, frames are worked on in strips.
        white: value of white in input files of 16 bits a channel; None takes the run's own, of a file 65535.
        size: height in pixels that frames are translated at; they come back to their own.
    """

    run: str | None = None
    weights: str | None = None
    input: str | None = None
    split: str | None = None
    data: Any = None
    output: str = MISSING
    format: str = "png"
    overwrite: bool = False
    average: bool = True
    accelerator: str = "auto"
    memory_limit: float = 4.0
    white: int | None = None
    size: int | None = None


@dataclass
class ExportConfig:
    """Root of conf/export.yaml.

    Attributes:
        run: folder of a finished run, or its address on the Hub.
        format: onnx, torchscript or safetensors.
        output: the file.
        average: export the averaged weights; false takes the last step's.
        precision: float32 or float16, of the weights in safetensors.
        licence: what may be done with the weights; by default what follows from the data set.
    """

    run: str = MISSING
    format: str = MISSING
    output: str = MISSING
    average: bool = True
    precision: str = "float32"
    licence: str | None = None


@dataclass
class PublishConfig:
    """Root of conf/publish.yaml.

    Attributes:
        run: folder of a finished run.
        repo: user/name on the Hugging Face Hub, made if it is not there.
        private: of a repository that is made; one that is there must be private already.
        revision: branch, made if it is not there.
        licence: what may be done with the weights; by default what follows from the data set.
        pictures: upload the run's last panel, which shows frames of its source.
        dry: folder that takes what would be uploaded.
    """

    run: str = MISSING
    repo: str = MISSING
    private: bool = False
    revision: str = "main"
    licence: str | None = None
    pictures: bool = True
    dry: str | None = None


@dataclass
class EvaluateConfig:
    """Root of conf/evaluate.yaml.

    Attributes:
        real: folder of images, at any depth.
        fake: folder of the images that are compared with them.
        side: of the squares all images are resized to; None leaves them to the extractor as they are.
        white: value of white in files of 16 bits a channel.
        per_image: CSV to write, a line for each image of `fake`.
        accelerator: cpu, cuda, mps, or auto.
    """

    real: str = MISSING
    fake: str = MISSING
    side: int | None = None
    white: int = 65535
    per_image: str | None = None
    accelerator: str = "auto"
    extractor: Any = MISSING
    metrics: Any = MISSING


@dataclass
class CheckConfig:
    """Root of conf/check.yaml.

    Attributes:
        data: one of conf/data.
        labels: the table its class maps should hold ids of.
        quick: read headers only.
        workers: threads that read; by default as many as it may use processors.
    """

    data: Any = MISSING
    labels: Any = MISSING
    quick: bool = False
    workers: int | None = None


@dataclass
class DashboardConfig:
    """Root of conf/dashboard.yaml.

    Attributes:
        entity: user or team on W&B.
        project: of the runs.
        scores: names in metrics.json.
    """

    entity: str = MISSING
    project: str = MISSING
    scores: list[str] = MISSING


@dataclass
class DemoConfig:
    """Root of conf/demo.yaml.

    Attributes:
        run: folder of a trained run, or its address on the Hub; or else:
        weights: a file that src.translate reads; with neither, the page offers the shipped weights alone.
        host: address that the page answers at.
        port: likewise.
        accelerator: cpu, cuda, mps, or auto.
        memory_limit: GiB the computation of a frame may take; above it, frames are worked on in strips.
        megapixels: an image, or a video's frame, may have.
        megabytes: an upload may have.
        seconds: a video may last.
        waiting: visitors that may wait for their turn.
    """

    run: str | None = None
    weights: str | None = None
    host: str = "127.0.0.1"
    port: int = 7860
    accelerator: str = "auto"
    memory_limit: float = 4.0
    megapixels: float = 16.0
    megabytes: float = 64.0
    seconds: float = 10.0
    waiting: int = 8
