"""What the files in a run folder are called."""

CONFIG, WEIGHTS, METRICS, CHECKPOINT = "config.yaml", "weights.safetensors", "metrics.json", "last.ckpt"
COST = "cost.json"  # what no second run would repeat: seconds and memory
PREVIOUS = "previous.ckpt"  # the checkpoint before the last, should that be damaged
CONTENT, CONTENT_PICTURE = "content.json", "content.png"  # what src.content found
SKIPPED = "skipped.txt"  # frames that could not be used
IMAGES, LOGS = "images", "logs"
LOCK = ".lock"  # held while a process trains there
REQUEUED = ".requeued"  # the run was put back into a queue

CHECKPOINTS = (CHECKPOINT, PREVIOUS)
ALL = (CONFIG, WEIGHTS, METRICS, COST, *CHECKPOINTS, CONTENT, CONTENT_PICTURE, SKIPPED, IMAGES, LOGS, LOCK, REQUEUED)
