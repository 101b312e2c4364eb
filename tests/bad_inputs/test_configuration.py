"""Settings that are no settings: wrong kind, out of range, at odds with each other, nearly right."""

from pathlib import Path

import pytest
import torch

from tests.bad_inputs.refusal import assert_refused, run, run_composed
from tests.conftest import TINY

TRAINING = [
    # attention
    ("attention.module.kernel_size=4", "kernel_size must be odd and >= 1, got 4"),
    ("attention.module.kernel_size=abc", r"^attention\.module\.kernel_size must be a whole number, got 'abc'$"),
    ("attention=bam attention.module.reduction=0", "reduction must be > 0, got 0"),
    ("attention=bam attention.module.dilation=1.5", r"attention\.module\.dilation must be a whole number, got 1\.5"),
    ("attention=self attention.module.significance=entropi", "one of entropy, received, .*did you mean entropy"),
    ("attention=self attention.module.max_tokens=0", "max_tokens must be > 0, got 0"),
    ("attention=external attention.module.slots=-1", "slots must be > 0, got -1"),
    ("attention=external attention.module.slots=nan", r"slots must be a finite number, got nan"),
    ("attention=entropy attention.module.temperature=inf", "temperature must be a finite number, got inf"),
    ("attention.taps=[block9]", r"no tap is called 'block9'; there are pixels, .*did you mean block5"),
    ("attention.taps=block1", r"^attention\.taps must be a list, each text, got 'block1'$"),
    ("attention.taps=[]", r"attention\.taps is empty; name some of pixels, .* or take attention=none"),
    ("attention.module=null", r"^attention\.module must be a group of settings with _target_, got null$"),
    # method
    ("method.lambda_x=-1", "lambda_x must be >= 0, got -1"),
    ("method.lambda_x=abc", r"^method\.lambda_x must be a number, got 'abc'$"),
    ("method.lambda_gan=nan", r"^method\.lambda_gan must be a finite number"),
    ("method.temperature=0", "temperature must be > 0, got 0"),
    ("method.temperature=null", r"^method\.temperature must be a number, got null$"),
    ("method.reduction=meen", r"^method\.reduction must be one of mean, sum, got 'meen'; did you mean mean\?$"),
    ("nce_reduction=median", r"^nce_reduction must be one of mean, sum, got 'median'"),
    ("method.flip_equivariance=5", r"^method\.flip_equivariance must be true or false, got 5$"),
    ("method=cyclegan method.pool=-1", "pool must be >= 0, got -1"),
    ("method=cyclegan method.pool=2.5", r"^method\.pool must be a whole number, got 2\.5$"),
    ("method=cyclegan method.lambda_identity=-1", "lambda_identity must be >= 0"),
    # selection
    ("selection.patches=1", "patches must be >= 2 to have a negative, got 1"),
    ("selection.patches=many", r"^selection\.patches must be a whole number, got 'many'$"),
    (
        "selection.patches=1000",
        r"^selection\.patches=1000 exceeds the 256 places of the map at tap down2: choose fewer",
    ),
    ("selection=spread selection.separation=-1", r"selection\.separation must lie in \[0, 10\], got -1"),
    ("selection=spread selection.separation=1e9", r"selection\.separation must lie in \[0, 10\], got 1000000000"),
    ("selection=gumbel selection.start=0.01", "start >= end > 0, got start=0.01"),
    ("selection=gumbel selection.end=0", "start >= end > 0, .*end=0"),
    # data
    ("data.ignore_x=nowhere", r"^data\.ignore_x=.*nowhere: no such picture or folder; name one, absolute or relative"),
    ("data.ignore_y=5", r"^data\.ignore_y must be text or null, got 5$"),
    (
        "data.ignore_y=trainB",
        r"^data\.ignore_y: .*trainB.* is a frame of the set; keep masks in a folder of their own$",
    ),
    ("data.size=34", r"^data\.size must be a multiple of 4 from 32 to 8192, got 34; try 32$"),
    ("data.size=0", r"^data\.size must be a multiple of 4 from 32 .* got 0"),
    ("data.size=-64", r"^data\.size must be a multiple of 4 from 32 .* got -64"),
    (
        "data.size=100000",
        r"^data\.size must be a multiple of 4 from 32 to 8192, got 100000; try 8192$",
    ),
    ("data.size=64.5", r"^data\.size must be a whole number, got 64\.5$"),
    ("data.size=abc", r"^data\.size must be a whole number, got 'abc'$"),
    ("data.aspect=0", r"^data\.aspect is width / height and must lie in"),
    ("data.aspect=nan", r"^data\.aspect must be a finite number, got nan$"),
    ("data.fit=cove", r"^data\.fit must be one of cover, stretch, width, got 'cove'; did you mean cover\?$"),
    ("data.load_scale=0.5", r"^data\.load_scale must lie in \[1, 10\], got 0\.5$"),
    ("data.load_scale=1e9", r"^data\.load_scale must lie in \[1, 10\]"),
    ("data.flip=maybe", r"^data\.flip must be true or false, got 'maybe'$"),
    ("data.batch_size=0", r"^data\.batch_size must be >= 1, got 0$"),
    (
        "data.batch_size=64 data.samples_per_epoch=6",
        r"^data\.batch_size=64 exceeds the 6 samples of an epoch; lower it$",
    ),
    ("data.samples_per_epoch=0", r"^data\.samples_per_epoch must be >= 1, got 0$"),
    ("data.num_workers=-1", r"^data\.num_workers must lie in \[0, 256\], got -1$"),
    ("data.num_workers=100000", r"^data\.num_workers must lie in \[0, 256\], got 100000$"),
    ("data.root=5", r"^data\.root must be text or null, got 5$"),
    ("data.root='???'", r"^data\.root has no default; give it: data\.root=\.\.\.$"),
    ("data.layout.x_val=null data.layout.holdout=1", r"^data\.layout\.holdout must be >= 2, got 1$"),
    (
        "data.layout.x_val=null",
        r"^data: x_val is empty; of 4 images none is held out, give data\.layout\.holdout=2 or less$",
    ),
    ("data.layout.x=null", r"^data\.layout\.x must be text, got null$"),
    ("data.cache=5", r"^data\.cache must be text or null, got 5$"),
    ("data.size=${nowhere}", r"^data\.size: Interpolation key 'nowhere' not found"),
    # generator, discriminator, sampler
    ("generator.width=0", r"generator\.width must lie in \[1, 1024\], got 0"),
    ("generator.width=1000000", r"generator\.width must lie in \[1, 1024\], got 1000000"),
    ("generator.width=wide", r"^generator\.width must be a whole number, got 'wide'$"),
    ("generator.blur=2", r"^generator\.blur must be true or false or one of down, up, got 2$"),
    ("generator.blur=dwn", r"^generator\.blur must be .*, got 'dwn'; did you mean down\?$"),
    ("generator.blocks=4", r"generator\.blocks must lie in \[5, 64\], got 4$"),
    ("generator.blocks=9.5", r"^generator\.blocks must be a whole number, got 9\.5$"),
    ("generator.init=kaiming", r"^generator\.init must be one of xavier, normal, got 'kaiming'$"),
    ("generator.gain=-1", "gain must be > 0, got -1"),
    ("generator.gain=inf", r"^generator\.gain must be a finite number, got inf$"),
    ("discriminator.width=-4", r"discriminator\.width must lie in \[1, 1024\], got -4"),
    ("discriminator.halvings=0", r"discriminator\.halvings must lie in \[1, 8\], got 0"),
    ("discriminator.halvings=100", r"discriminator\.halvings must lie in \[1, 8\], got 100"),
    (
        "discriminator.halvings=4",
        r"^discriminator\.halvings: needs images of 64x64 pixels, got 32x32; lower it or raise",
    ),
    ("discriminator.init=xavir", r"^discriminator\.init must be one of .* did you mean xavier\?$"),
    ("sampler.embedding=0", r"sampler\.embedding must lie in \[1, 16384\], got 0"),
    ("sampler.embedding=big", r"^sampler\.embedding must be a whole number, got 'big'$"),
    ("sampler.gain=nan", r"^sampler\.gain must be a finite number, got nan$"),
    # optimizer
    ("optimizer.lr=-1", r"^optimizer\.lr must be a number > 0, got -1$"),
    ("optimizer.lr=0", r"^optimizer\.lr must be a number > 0, got 0$"),
    ("optimizer.lr=abc", r"^optimizer\.lr must be a number > 0, got 'abc'$"),
    ("optimizer.lr=nan", r"^optimizer\.lr must be a number > 0, got nan$"),
    ("optimizer.lr=true", r"^optimizer\.lr must be a number > 0, got True$"),
    ("optimizer.betas=[0.5,2]", "optimizer: Invalid beta parameter"),
    ("+module.method=1", r"^module\.method must be a group of settings with _target_, got 1$"),
    ("optimizer.betas=[0.5]", r"^optimizer\.betas must be a list of 2, got \[0\.5\]$"),
    ("+optimizer.weight_decay=-1", "optimizer: Invalid weight_decay value: -1"),
    ("+optimizer.momentum=0.9", r"^optimizer\.momentum: Adam takes no such setting; leave it out$"),
    # trainer
    ("trainer.max_epochs=0", r"^trainer\.max_epochs must be a whole number >= 1, got 0$"),
    ("trainer.max_epochs=abc", r"^trainer\.max_epochs must be a whole number >= 1, got 'abc'$"),
    ("trainer.max_epochs=true", r"^trainer\.max_epochs must be a whole number .*got [Tt]rue$"),
    ("trainer.devices=0", r"^trainer: .*devices=0"),
    ("trainer.devices=many", r"^trainer: .*devices"),
    ("trainer.devices=2", r"^trainer\.devices asks for 2 processes; add trainer=ddp$"),
    ("trainer.num_nodes=0", "^trainer: .*num_nodes.* got 0"),
    ("trainer.num_nodes=2", r"^trainer\.devices asks for 2 processes; add trainer=ddp$"),
    ("trainer.accelerator=quantum", r"^trainer\.accelerator must be one of auto, cpu, gpu, cuda, mps, got 'quantum'$"),
    ("trainer.accelerator=gpuu", r"^trainer\.accelerator must be .*; did you mean gpu\?$"),
    ("trainer.precision=foo", r"^trainer\.precision must be one of .*got 'foo'"),
    ("trainer.precision=bf16-true", r"^trainer\.precision must keep weights in fp32: bf16-mixed"),
    ("trainer.strategy=fsdp", r"^trainer\.strategy must be auto, or chosen with trainer=ddp, got 'fsdp'$"),
    ("trainer.limit_train_batches=0", r"^trainer\.limit_train_batches must be a whole number > 0"),
    ("trainer.limit_train_batches=2.5", r"^trainer\.limit_train_batches must be a whole number > 0, or a share up to"),
    ("trainer.limit_train_batches=0.001", r"^trainer\.limit_train_batches=0\.001 leaves none of the 160 batches"),
    ("trainer.limit_val_batches=abc", r"^trainer\.limit_val_batches must be a whole number > 0"),
    (
        "trainer.limit_val_batches=1",
        "^scores need at least 2 validation images a domain, got 1 and 1; add images, lower data",
    ),
    ("trainer.log_every_n_steps=0", r"^trainer\.log_every_n_steps must be a whole number >= 1, got 0$"),
    ("trainer.deterministic=sometimes", r"^trainer\.deterministic must be true or false"),
    ("+trainer.max_step=3", r"^trainer\.max_step: Trainer takes no such setting; did you mean max_steps\?$"),
    ("+trainer.max_steps=4", r"^trainer\.max_steps counts steps of optimisers, .*trainer\.limit_train_batches=N\)$"),
    ("+trainer.min_steps=4", r"^trainer\.min_steps counts steps of .*use trainer\.max_epochs and"),
    ("+trainer.fast_dev_run=4", r"^trainer\.fast_dev_run counts .*use trainer\.max_epochs"),
    (
        "trainer.use_distributed_sampler=true",
        r"^trainer\.use_distributed_sampler must be false: draws split themselves over ranks, got True$",
    ),
    ("+trainer.max_time='00:08:00:00'", r"^trainer\.max_time would end .* middle of an epoch .*timeout -s INT <time>"),
    ("+trainer.val_check_interval=2", r"^trainer\.val_check_interval has no effect, .*metrics\.every_n_epochs"),
    ("+trainer.check_val_every_n_epoch=2", r"^trainer\.check_val_every_n_epoch has no .*metrics\.every_n_epochs"),
    ("+trainer.logger=false", r"^trainer\.logger is set by the package; use the groups callbacks and logger, or leave"),
    ("+trainer.enable_progress_bar=true", r"^trainer\.enable_progress_bar is set by the package; "),
    ("+trainer.overfit_batches=4", r"^trainer\.overfit_batches has no effect; use data\.samples_per_epoch$"),
    ("+trainer.accumulate_grad_batches=2", r"^trainer\.accumulate_grad_batches is .*; use module\.accumulate$"),
    ("+trainer.gradient_clip_val=1", r"^trainer\.gradient_clip_val is for one optimiser; leave it out$"),
    # module
    ("module.decay=2", r"^module\.decay must lie in \[0, 1\], got 2$"),
    ("module.ema_decay=1", r"^module\.ema_decay must lie in \[0, 1\), got 1$"),
    ("module.accumulate=0", r"^module\.accumulate must be >= 1, got 0$"),
    ("module.accumulate=200", r"^module\.accumulate=200 exceeds the 160 batches of an epoch; lower it$"),
    ("module.cuda_graph=true", r"^module\.cuda_graph needs one NVIDIA GPU .*set it to false$"),
    (
        "module.cuda_graph=true module.accumulate=2",
        r"^module\.cuda_graph records whole steps; set module\.accumulate=1",
    ),
    ("module.channels_last=perhaps", r"^module\.channels_last must be true or false, got 'perhaps'$"),
    # callbacks, metrics, extractor, logger
    ("callbacks.checkpoint.every_n_batches=0", r"^callbacks\.checkpoint\.every_n_batches must be >= 1, got 0$"),
    ("callbacks.checkpoint.every_n_batches=soon", r"^callbacks\.checkpoint\.every_n_batches must be a whole number"),
    ("callbacks.image_grid.images=0", r"^callbacks\.image_grid\.images must be >= 1, got 0$"),
    ("callbacks.image_grid.every_n_epochs=0", r"^callbacks\.image_grid\.every_n_epochs must be >= 1, got 0$"),
    ("metrics.every_n_epochs=0", r"^metrics\.every_n_epochs must be null or >= 1, got 0$"),
    ("metrics.every_n_epochs=often", r"^metrics\.every_n_epochs must be null or >= 1, got 'often'$"),
    ("metrics.per_image=../x.csv", r"^metrics\.per_image must be a file name, put into the run folder"),
    ("metrics.per_image=5", r"^metrics\.per_image must be a file name"),
    ("metrics.scores.side=8", r"^metrics\.scores\.side must be >= 16, got 8$"),
    ("metrics.scores.side=1000000", r"^metrics\.scores\.side must be <= 8192, got 1000000$"),
    ("metrics.scores.seeds=0", r"^metrics\.scores\.seeds must be >= 1, got 0$"),
    ("metrics.scores.batch_size=0", r"^metrics\.scores\.batch_size must be >= 1, got 0$"),
    ("metrics.scores.kid_subsets=0", r"^metrics\.scores\.kid_subsets must be >= 1, got 0$"),
    ("metrics.scores.kid_subset_size=1", r"^metrics\.scores\.kid_subset_size must be >= 2, got 1$"),
    ("metrics.cache=5", r"^metrics\.cache must be text or null, got 5$"),
    ("extractor=inception extractor.weights=nowhere.pth", r"^nowhere\.pth: no Inception weights there; give a path"),
    ("logger=wandb logger.wandb.mode=offlin", r"^logger\.wandb\.mode must be one of .*did you mean offline\?$"),
    ("logger=wandb logger.wandb.project=5", r"^logger\.wandb\.project must be text, got 5$"),
    # the root
    ("seed=-1", r"^seed must lie in \[0, 2\^32\), got -1$"),
    ("seed=4294967296", r"^seed must lie in \[0, 2\^32\), got 4294967296$"),
]


@pytest.mark.skipif(torch.cuda.is_available() or torch.backends.mps.is_available(), reason="has a GPU")
@pytest.mark.parametrize(
    ("command", "settings"),
    [
        ("train", "trainer=gpu"),
        ("train", "trainer.accelerator=gpu"),
        ("train", "trainer.accelerator=cuda"),
        ("segment", "trainer.accelerator=gpu"),
    ],
)
def test_a_device_that_is_not_there_is_refused_before_anything_is_drawn(command: str, settings: str, untouched: Path):
    sets = [f"data.root={untouched}/streets"] if command == "train" else ["train=nowhere", "test=nowhere"]
    folder = untouched.parent / f"{untouched.name}_run"
    answer = run_composed(command, folder, [settings, *sets])
    name = settings.replace("trainer=", "trainer.accelerator=")
    assert_refused(answer, rf"^{name}: there is no such device here .*; give trainer=cpu, or trainer\.accelerator=auto")


def test_a_setting_that_no_class_takes_is_refused_before_anything_is_drawn(untouched: Path):
    settings = [f"data.root={untouched}/streets", "trainer=cpu", "+module.nothing=1"]
    folder = untouched.parent / f"{untouched.name}_run"
    assert_refused(run_composed("train", folder, settings), r"^module\.nothing: Translation takes no such")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("method.temperature=0", "temperature must be > 0, got 0"),
        ("generator.width=0", r"generator\.width must lie in"),
        ("attention.module.kernel_size=4", "kernel_size must be odd"),
        ("selection.patches=1", "patches must be >= 2"),
        ("selection.patches=1000000", "exceeds the [0-9]+ places of the map"),
        ("discriminator.halvings=8", r"^discriminator\.halvings: needs images of"),
        ("module.decay=2", r"^module\.decay must lie in"),
        ("optimizer.betas=[2,0.9]", "^optimizer: "),
        ("metrics.scores.seeds=0", "seeds"),
        ("data.layout.holdout=1", r"^data\.layout\.holdout must be >= 2, got 1$"),
        ("data.layout.tune=1", r"^data\.layout\.tune must be >= 2 or null, got 1$"),
        ("trainer.devices=2", "^trainer.devices asks for 2 processes; add trainer=ddp$"),
        ("trainer.devices=0", "^trainer: "),
        ("logger=wandb logger.wandb.mode=offlin", r"^logger\.wandb\.mode must be one of"),
        ("+init_from=nowhere", "^init_from: "),
        ("callbacks.image_grid.images=0", r"^callbacks\.image_grid\.images must be >= 1, got 0$"),
        ("callbacks.checkpoint.every_n_batches=0", "every_n_batches must be >= 1, got 0$"),
    ],
)
def test_a_value_that_a_constructor_refuses_is_refused_before_anything_is_drawn(
    setting: str, message: str, untouched: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("src.data.layouts.write_streets", lambda root: pytest.fail("the streets are drawn"))
    where = [f"data.root={untouched}/streets", "trainer=cpu", "discriminator=discriminator"]
    folder = untouched.parent / f"{untouched.name}_run"
    assert_refused(run_composed("train", folder, [*where, *setting.split()]), message)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("runs=[nowhere]", "^runs: nowhere holds no finished run"),
        ("runs=[] accelerator=cud", "^accelerator=cud: "),
        ("runs=[] segment=['optimizer.lr=0']", r"^optimizer\.lr must be a number > 0, got 0$"),
    ],
)
def test_a_study_is_refused_before_anything_is_drawn(settings: str, message: str, untouched: Path):
    assert_refused(run("study", [*settings.split(), f"data.root={untouched}/streets"]), message)


@pytest.mark.parametrize(("settings", "message"), TRAINING)
def test_training_refuses(settings: str, message: str, frames: Path, untouched: Path):
    good = [
        "data=folders",
        "trainer=cpu",
        *TINY,
        f"data.root={frames}",
        "data.size=32",
        "data.load=32",
        "data.num_workers=0",
    ]
    assert_refused(run_composed("train", untouched / "run", [*good, *settings.split()]), message)


BEFORE_IMPORTS = [
    ("train", "attention=tripplet", r"^attention must be one of bam, .*, got 'tripplet'; did you mean triplet\?$"),
    ("train", "method=cot", r"^method must be one of .* did you mean cut\?$"),
    ("train", "table1=trilpet", r"^table1 must be one of .* did you mean triplet\?$"),
    ("train", "experiment=papr", r"^experiment must be one of .* did you mean paper\?$"),
    ("train", "extractor=inceptoin", r"^extractor must be one of .* did you mean inception\?$"),
    ("train", "optimizer=sgd", "^optimizer must be one of adam, got 'sgd'$"),
    ("train", "optimzer.lr=1e-3", r"^optimzer\.lr: there is no such setting; did you mean optimizer\.lr\?$"),
    ("train", "lr=1e-3", r"^lr: there is no such setting; did you mean optimizer\.lr\?$"),
    ("train", "attention.kernel_size=3", r"^attention\.kernel_size: .* did you mean attention\.module\.kernel_size\?$"),
    ("train", "attention=self attention.module.slots=3", r"^attention\.module\.slots: there is no such setting; "),
    ("train", "atention=bam", r"^atention: .* did you mean attention\?$"),
    (
        "train",
        "nothing_like_it=1",
        r"^nothing_like_it: there is no such setting; python -m src\.train --help lists them$",
    ),
    ("train", "seed=abc", "^seed=abc: Value 'abc' of type 'str' could not be converted to Integer$"),
    ("train", "attention=self seed=abc attention.module.reduction=4", "^seed=abc: Value"),
    ("train", "compile=maybe", "^compile=maybe: Value 'maybe' is not a valid bool"),
    ("train", "data.size", r"^data\.size has no value; give it: data\.size=\.\.\.$"),
    ("train", "attention", r"^attention has no value; give one of bam, .*: attention=\.\.\.$"),
    ("train", "triplet", r"^triplet: .*key=value; did you mean attention=triplet or table1=triplet\?$"),
    ("train", "tripplet", r"^tripplet: .*key=value; did you mean attention=triplet\?$"),
    ("train", "something", "^something: settings are written key=value; --help lists them$"),
    ("train", "--epochs 5", r"^--epochs 5: settings are written key=value; did you mean trainer\.max_epochs=5\?$"),
    ("train", "--attention triplet", r"^--attention triplet: .*; did you mean attention=triplet\?$"),
    ("train", "--lr=1e-4", r"^--lr=1e-4: .*; did you mean optimizer\.lr=1e-4\?$"),
    ("train", "--data-size 64", r"^--data-size 64: .*; did you mean data\.size=64\?$"),
    ("train", "-e 5", "^-e 5: settings are written key=value; --help lists them$"),
    ("train", "--cfg", "^argument --cfg/-c: expected one argument$"),
    ("train", "-m --cfg job", "^--run, --multirun, .* exclude each other; leave one$"),
    ("train", "seed = 1", "^seed = 1: written without spaces: seed=1$"),
    ("train", "attention=triplet,bam", "^attention=triplet,bam: several values make a sweep, which needs -m$"),
    ("train", "attention.taps=down1,down2", r"-m; a list is written attention\.taps=\[down1,down2\]$"),
    ("train", "data.root=/my/a,b", r"-m; a list is written .*, a path with a comma 'data\.root=\"/my/a,b\"'$"),
    (
        "train",
        "resume=outputs/<run>",
        r"^resume=outputs/<run>: <run> stands for .* python -m src\.runs lists the runs$",
    ),
    ("train", "run=outputs/...", r"^run=outputs/\.\.\.: \.\.\. stands for a name that is yours to fill in"),
    ("train", "+lr=1", "^lr: there is no such setting; leave it out$"),
    ("train", "hydra.nothing=1", "^Could not override 'hydra.nothing'"),
    ("study", "runs=[outputs/sweeps/<sweep>]", "^runs=.*: <sweep> stands for a name that is yours"),
    ("segment", "labels=cityscape", r"^labels must be one of .* did you mean cityscapes\?$"),
    ("segment", "trainer=gpu train=a test=b", r"^trainer=gpu: sets generator, which src\.segment has not; choose"),
    ("evaluate", "fakes=here", r"^fakes: there is no such setting; did you mean fake\?$"),
    ("explain", "", r"^input and output have no default; give them: input=\.\.\. output=\.\.\.$"),
    ("translate", "--run outputs/one output=o", r"^--run outputs/one: .*; did you mean run=outputs/one\?$"),
    ("translate", "input=in/[ab]*.png", r"""^input=in/\[ab\]\*\.png: .*; did you mean 'input="in/\[ab\]\*\.png"'\?$"""),
    (
        "translate",
        "memory_limit=much",
        "^memory_limit=much: Value 'much' of type 'str' could not be converted to Float$",
    ),
]


@pytest.mark.parametrize(("command", "arguments", "message"), BEFORE_IMPORTS)
def test_a_mistake_that_conf_alone_tells_is_one_line(command: str, arguments: str, message: str, untouched: Path):
    assert_refused(run(command, arguments.split()), message)


def test_every_mistake_has_its_line(untouched: Path):
    code, lines = run("translate", ["--input", "frames", "--output", "out"])
    assert code == 1
    assert [line.rpartition("; ")[2] for line in lines] == ["did you mean input=frames?", "did you mean output=out?"]


@pytest.mark.parametrize(
    ("swept", "message"),
    [
        ("attention=triplet,bamm", r"^attention must be one of .* got 'bamm'; did you mean bam\?$"),
        ("seed=0,1 resume=somewhere", "^resume continues one run at a time; leave out -m$"),
    ],
)
def test_a_sweep_is_refused_before_its_first_run(swept: str, message: str, tmp_path: Path):
    assert_refused(run("train", ["-m", *swept.split(), f"hydra.sweep.dir={tmp_path}"]), message)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "multirun.yaml"]


ALONE = [
    ("train", "optimizer.lr=0", r"^optimizer\.lr must be a number > 0, got 0$"),  # the whole way, once for each command
    ("train", "variant=${oc.env:HOME}", "^variant: a configuration takes nothing from the environment"),
    ("train", "-m table1=glob(x*)", r"^table1=glob\(x\*\): matches nothing.*there are bam, cut"),
    ("prepare", "data=folders", r"^data\.cache must name the folder for the decoded frames"),
    ("evaluate", "fake=b", r"^real has no default; give it: real=\.\.\.$"),
    ("evaluate", "real=a fake=b", "^a: no such folder; check the path$"),
    ("translate", "run=r input=.", r"^output has no default; give it: output=\.\.\.$"),
    ("translate", "run=r output=o", "^name what to translate: input=<image, video, folder or pattern>, or split"),
    ("translate", "run=r output=o input=i split=train", "^input and split exclude each other"),
    ("translate", "run=r output=o input=nowhere", "^input=nowhere: no such file or folder; check the path$"),
    (
        "translate",
        "run=r output=o input=nowhere/*.png",
        r"^input=nowhere/\*\.png: matches no image and no video; check",
    ),
    ("translate", "run=r output=o split=train format=jpeg", "^format and overwrite are for input=; a labelled set is"),
    ("translate", "run=r output=o split=train overwrite=true", "^format and overwrite are for input="),
    ("segment", "test=t", r"^train has no default; give it: train=\.\.\.$"),
    ("segment", "train=nowhere test=t", "^train=nowhere: no such folder; check the path$"),
    ("content", "run=nowhere judge=j", r"^nowhere: not a run folder, config\.yaml is missing"),
    ("study", "", r"^runs has no default; give it: runs=\.\.\.$"),
    ("study", "runs=[] seeds=[]", r"^seeds must name at least one seed, each once, got \[\]$"),
    ("study", "runs=[] seeds=[1,1]", r"^seeds must name at least one seed, each once, got \[1, 1\]$"),
    ("study", "runs=[] data=folders data.root=nowhere", "nowhere/trainA: no such folder, nor .*check"),
    ("dashboard", "entity=team scores=[kit]", r"^scores: no score is called 'kit'.*did you mean kid\?$"),
    ("dashboard", "project=p", r"^entity has no default; give it: entity=\.\.\.$"),
    ("report", "nowhere", "^nowhere: no such folder; name run folders or a sweep$"),
    ("runs.__main__", "nowhere", "^nowhere: no such folder; name one that holds runs$"),
    ("runs.__main__", "rm one", "^outputs: no such folder; name the one that holds the runs with --folder$"),
    ("runs.__main__", "rm --folder . nowhere", r"^nowhere: no such run in \.$"),
    ("runs.__main__", "rm --folder . ..", r"^\.\.: lies outside \.; name the folder it lies in with --folder$"),
    ("report", "one two", "^several folders: say where the table goes with --output$"),
]


@pytest.mark.parametrize(("command", "arguments", "message"), ALONE)
def test_a_command_refuses(command: str, arguments: str, message: str, untouched: Path):
    own = ["hydra.run.dir=run", "hydra.sweep.dir=run"] if command in ("train", "segment") else []
    assert_refused(run(command, [*arguments.split(), *own]), message)
