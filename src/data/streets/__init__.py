"""Streets: a procedural pair of domains, one road world seen by a game and by a dash-camera."""
