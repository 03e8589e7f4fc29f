"""Opens a report in headless Chromium at 400 and 1400 pixels, light and dark: no console messages, every chart drawn.

Usage: test_report.py GLISSADE. Prints TAP; skips where there is no Chromium.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

glissade = str(pathlib.Path(sys.argv[1]).resolve())
chromium = shutil.which("chromium") or shutil.which("chromium-browser")
views = [(400, False), (400, True), (1400, False), (1400, True)]
print(f"1..{len(views)}")
if not chromium:
    for number in range(1, len(views) + 1):
        print(f"ok {number} # SKIP no chromium")
    sys.exit(0)

with tempfile.TemporaryDirectory() as folder:
    common = ["--set", "data.train_size=600", "--set", "data.test_size=200", "--set", "train.epochs=2", "--quiet"]
    measures = ["--set", "measure={gradient_diversity: {every: 1}, noise_norm: {every: 1, sample: 64, batches: 8}}"]
    for name, extra in (("one", measures), ("two", ["--set", "train.seeds=2"])):
        subprocess.run([glissade, "train", "--preset", "demo-softmax-msgd", "--out", f"{folder}/{name}", *common, *extra],
                       check=True)
    subprocess.run([glissade, "report", f"{folder}/one", f"{folder}/two", "--out", f"{folder}/page.html"], check=True,
                   stderr=subprocess.DEVNULL)
    for number, (width, dark) in enumerate(views, 1):
        command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile",
                   f"--window-size={width},2000", "--virtual-time-budget=5000", "--enable-logging=stderr", "--dump-dom"]
        if dark:
            command.append("--force-dark-mode")
            command.append("--blink-settings=preferredColorScheme=0")
        shown = subprocess.run([*command, f"file://{folder}/page.html"], capture_output=True, text=True, timeout=100)
        said = [line for line in shown.stderr.splitlines() if "CONSOLE" in line]
        figures = shown.stdout.count("<figure")
        # Chart.js gives a canvas its size in pixels when it draws.
        drawn = len(re.findall(r"<canvas[^>]*style=\"[^\"]*width: \d+px", shown.stdout))
        titles = all(text in shown.stdout for text in ("Training loss", "Held-out accuracy", "Noise norm of mini-batches"))
        good = not said and figures >= 8 and drawn == figures and titles
        print(f"{'ok' if good else 'not ok'} {number} - {width} pixels, {'dark' if dark else 'light'}: {drawn} charts")
        if not good:
            print("# " + "\n# ".join([f"{figures} figures, {drawn} drawn, titles {titles}", *said[:5]]))
