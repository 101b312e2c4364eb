"""The ablation table: run folders in, rows with statistics out, as text and as a figure."""
