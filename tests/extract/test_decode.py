import re
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest

from extract.decode import (
    DecodeError,
    Decoder,
    DecordVideo,
    PyAVVideo,
    _cut_short,
    quiet,
    visit,
)

BOTH = pytest.mark.parametrize("decoder", ["decord", "pyav"])


@pytest.fixture(autouse=True, scope="module")
def _quiet():
    quiet()


@dataclass
class Seen:
    frames: list[np.ndarray]
    timestamps: np.ndarray  # of these frames
    count: int  # in the video
    note: str


def read(path: Path, indices: list[int], decoder: Decoder = "auto") -> Seen:
    seen, times = {}, np.zeros(0)

    def choose(timestamps, end):
        nonlocal times
        times = timestamps
        return indices

    note = visit(path, choose, seen.__setitem__, decoder)
    return Seen([seen[index] for index in indices], times[indices], len(times), note)


def numbers(frames: list[np.ndarray]) -> list[int]:
    """Which frames of a `make_clip` video these are, by the grey of their left half."""
    return [round((float(frame[:, :40].mean()) - 16) / 4) for frame in frames]


@BOTH
def test_frames_come_at_the_indices_asked_for_in_any_order(tmp_path, make_clip, decoder):
    path = make_clip(tmp_path / "a.mp4", frames=40)
    result = read(path, [39, 0, 17, 17, 3, 25], decoder)
    assert numbers(result.frames) == [39, 0, 17, 17, 3, 25]
    np.testing.assert_allclose(result.timestamps * 25, [39, 0, 17, 17, 3, 25], atol=1e-3)
    assert result.frames[0].shape == (120, 160, 3)
    assert result.note == ""


@BOTH
def test_a_variable_frame_rate_keeps_its_times(tmp_path, make_clip, decoder):
    times = [0, 1, 2, 3, 10, 11, 12, 40, 41, 60]
    path = make_clip(tmp_path / "a.mp4", frames=10, times=times)
    result = read(path, list(range(10)), decoder)
    assert numbers(result.frames) == list(range(10))
    np.testing.assert_allclose(result.timestamps * 25, times, atol=1e-3)


@pytest.mark.parametrize("kind", [DecordVideo, PyAVVideo])
def test_the_last_frame_stays_as_long_as_the_file_says(tmp_path, make_clip, kind):
    still = make_clip(tmp_path / "a.mp4", frames=10, last=91)
    steady = make_clip(tmp_path / "b.mp4", frames=10)
    assert kind(still).end == pytest.approx(4, abs=1e-3)
    assert kind(steady).end == pytest.approx(0.4, abs=1e-3)
    assert read(still, [0]).note == ""  # it is not cut short


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "mov"])
def test_both_decoders_give_the_same_frames_at_the_same_times(tmp_path, make_clip, suffix):
    codec = "mpeg4" if suffix == "avi" else "libx264"
    path = make_clip(tmp_path / f"a.{suffix}", frames=30, codec=codec)
    ours, theirs = (read(path, [0, 7, 14, 29], decoder) for decoder in ("decord", "pyav"))
    assert all((a == b).all() for a, b in zip(ours.frames, theirs.frames, strict=True))
    np.testing.assert_allclose(ours.timestamps, theirs.timestamps, atol=2e-3)


# What decord 3.4 cannot read rightly, it must refuse; PyAV then takes the file.
REFUSED = {
    "corrupted.mp4": "damaged frames",
    "discard_first_keyframe.mp4": "edit list",
    "h265_video.mp4": "damaged frames",
}


def odd_files() -> list[str]:
    names = "animated.gif av1_video.mkv corrupted.mp4 discard_first_keyframe.mp4"
    names += " flipping_a_pancake.mkv h264_10bits.mp4 h265_video.mp4 nasa_13013.mp4"
    names += " nasa_13013_rotated.mp4 real_xvid.avi test_non_zero_start.mp4 testsrc2_mpeg4.avi"
    names += " testsrc2_mpeg4.mp4 testsrc2_odd_height_and_width_444.mp4 unordered.mov"
    return [*names.split(), "video_180.mov", "video_90.mov"]


@pytest.mark.parametrize("name", odd_files())
def test_odd_files_are_right_with_either_decoder(shared: Path, name: str):
    path = shared / "clips/odd" / name
    reference = PyAVVideo(path)
    count = len(reference.timestamps)
    indices = sorted({int((i + 0.5) * count / 8) for i in range(8)})
    theirs = list(reference.frames(indices))
    if name in REFUSED:
        with pytest.raises(DecodeError, match=REFUSED[name]):
            list(DecordVideo(path).frames(indices))
        return
    video = DecordVideo(path)
    ours = list(video.frames(indices))
    np.testing.assert_allclose(video.timestamps, reference.timestamps, atol=2e-3)
    assert video.end == pytest.approx(reference.end, abs=2e-3)
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        # 10-bit chroma is scaled by two ways that are both right; all else is the same bits.
        assert np.abs(a.astype(int) - b).mean() < (4 if "10bits" in name else 1e-9)


@pytest.mark.parametrize(
    ("name", "shape", "count"),
    [
        ("nasa_13013.mp4", (270, 480, 3), 390),  # the better of two streams
        ("nasa_13013_rotated.mp4", (480, 270, 3), 17),
        ("video_90.mov", (568, 320, 3), 3),
        ("discard_first_keyframe.mp4", (64, 64, 3), 25),
        ("testsrc2_odd_height_and_width_444.mp4", (241, 321, 3), 25),
        ("animated.gif", (48, 64, 3), 4),
    ],
)
def test_known_facts_of_odd_files(shared: Path, name: str, shape: tuple[int, ...], count: int):
    path = shared / "clips/odd" / name
    result = read(path, [0])
    assert result.note == ""
    assert result.count == count
    assert result.frames[0].shape == shape


def test_damaged_frames_are_passed_over_and_counted(shared: Path):
    result = read(shared / "clips/odd/corrupted.mp4", list(range(40)))
    assert result.note == "2 damaged frames passed over, 48 good ones"


def test_a_gap_of_damaged_bytes_is_noticed(tmp_path: Path, make_clip):
    raw = bytearray(make_clip(tmp_path / "a.mp4", frames=40).read_bytes())
    with av.open(str(tmp_path / "a.mp4")) as container:
        sizes = [packet.size for packet in container.demux(video=0)]
    start = raw.index(b"mdat") + 4 + sum(sizes[:3])
    raw[start : start + 60] = b"\xff" * 60
    (tmp_path / "b.mp4").write_bytes(raw)
    assert "damaged" in read(tmp_path / "b.mp4", list(range(30))).note


def test_frames_too_narrow_for_decord_go_to_pyav(tmp_path: Path, make_clip):
    # How much padding wider rows have depends on the processor; 24 bytes get some on any.
    path = make_clip(tmp_path / "a.mp4", frames=10, size=(8, 64))
    with pytest.raises(DecodeError, match="too narrow"):
        read(path, [3], "decord")
    assert read(path, [3]).frames[0].shape == (64, 8, 3)


def test_a_single_frame_is_a_video(tmp_path: Path, make_clip):
    result = read(make_clip(tmp_path / "a.mp4", frames=1), [0, 0, 0])
    assert len(result.frames) == 3
    assert result.timestamps.tolist() == [0, 0, 0]


def sound_only(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        silence = np.zeros((1, 4096), np.float32)
        frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


def no_frames(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        container.start_encoding()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.write_bytes(b""), "empty"),
        (lambda path: path.write_text("hello"), "not a video that can be opened"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: None, "no such file"),
        (sound_only, "no video stream"),
        (no_frames, "no frame|cannot be opened|no video"),
    ],
)
def test_what_is_no_video_has_a_reason(tmp_path: Path, make, reason: str):
    path = tmp_path / "a.mp4"
    make(path)
    with pytest.raises(DecodeError, match=reason) as caught:
        read(path, [0])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("suffix", "codec"), [("mkv", "libx264"), ("avi", "mpeg4")])
def test_a_download_that_broke_off_is_noticed(tmp_path: Path, make_clip, suffix: str, codec: str):
    path = make_clip(tmp_path / f"a.{suffix}", frames=48, codec=codec)
    assert read(path, [0]).note == ""
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2])
    assert re.fullmatch(
        r"ends at [01]\.\d s of the 1\.9 s that its header announces", read(path, [0]).note
    )


@BOTH
@pytest.mark.parametrize(
    ("suffix", "codec"), [("mp4", "libx264"), ("mkv", "libx264"), ("avi", "mpeg4")]
)
def test_a_tag_that_is_not_utf_8_hides_neither_a_video_nor_that_it_broke_off(
    tmp_path: Path, make_clip, suffix: str, codec: str, decoder: Decoder
):
    path = make_clip(tmp_path / f"a.{suffix}", frames=48, codec=codec)
    raw = path.read_bytes().replace(b"Lavf", b"\xe9avf")  # the tag that names the program
    assert b"\xe9avf" in raw
    path.write_bytes(raw)
    assert numbers(read(path, [0, 12], decoder).frames) == [0, 12]
    if suffix != "mp4":  # which cannot be opened without its end
        path.write_bytes(raw[: len(raw) // 2])
        assert "that its header announces" in read(path, [0], decoder).note


@BOTH
def test_a_relative_name_with_a_colon_is_no_address(
    tmp_path: Path, make_clip, monkeypatch, decoder: Decoder
):
    make_clip(tmp_path / "2024-01-01T12:30.mkv", frames=9)
    monkeypatch.chdir(tmp_path)
    assert read(Path("2024-01-01T12:30.mkv"), [0], decoder).count == 9


def test_a_video_that_ends_a_little_before_its_header_says_is_whole(tmp_path: Path, make_clip):
    video = make_clip(tmp_path / "a.mp4", frames=25)  # of one second
    for frames, told in ((25, ""), (14, ""), (12, "ends at 0.5 s of the 1.0 s that its header")):
        assert _cut_short(video, frames / 25).startswith(told)
        assert bool(_cut_short(video, frames / 25)) == bool(told)
    long = make_clip(tmp_path / "b.mp4", frames=25, times=range(0, 250, 10))
    assert _cut_short(long, 23 * 0.4) == ""  # less than a tenth of ten seconds
    assert _cut_short(long, 20 * 0.4) != ""


def test_a_truncated_video_has_a_reason(tmp_path: Path, make_clip):
    raw = make_clip(tmp_path / "a.mp4").read_bytes()
    (tmp_path / "b.mp4").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(DecodeError, match="cut short"):
        read(tmp_path / "b.mp4", [0])
