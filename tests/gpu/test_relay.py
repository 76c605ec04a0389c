"""A kernel that waits for what never comes ends with an error instead of holding the device."""

import subprocess
import sys

SCRIPT = """
import torch, triton, triton.language as tl
from townsfolk_kernels.decode.relay import any_of, give_up, lacks, look

@triton.jit
def wait(words, out, tag):
    place = tl.arange(0, 128)
    every = (words + place).to(tl.int64) != 0
    seen, looks = look(words + place, every), 0
    while any_of(lacks(seen, tag, every)):
        looks += 1
        give_up(looks, True)
        seen = look(words + place, every)
    tl.store(out + place, seen)

words = torch.full((128,), 7, dtype=torch.int32, device="cuda")
out = torch.zeros_like(words)
wait[(1,)](words, out, 7)
assert torch.equal(out, words)
words[5] = 8
wait[(1,)](words, out, 7)
try:
    torch.cuda.synchronize()
except RuntimeError as error:
    print("ended:", error)
"""


def test_it_ends(tmp_path):
    script = tmp_path / "wait.py"
    script.write_text(SCRIPT)  # Triton reads a kernel's source
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert "ended: CUDA error" in done.stdout, done.stdout + done.stderr
