"""The mini backbone: a CLIP small enough to ship, trained on still scenes of the demo world.

It sees stills and captions of what is in them and where; never a video, a motion or an action.
`python -m pipelines.mini` trains it and writes weights and card into `corpus/backbones`.
"""
