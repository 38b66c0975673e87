"""What must be there first: a virtual environment, Kenning's programs, and the model. Standard library only."""

import os
import platform
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "target"
ENVIRONMENT = TARGET / "peers-venv"
NEEDED = ["numpy", "onnx", "onnxruntime", "tokenizers", "sympy"]
"""sympy is what ONNX Runtime's fusions infer shapes with."""
WELCOME = ["hnswlib", "faiss-cpu", "usearch"]
"""Compared where they can be installed."""
WRITTEN = [":!benches/RESULTS.md", ":!benches/figures"]
"""What the report itself changes."""
MODEL = "sentence-transformers/all-MiniLM-L6-v2"


def python():
    return ENVIRONMENT / "bin" / "python"


def environment():
    """Makes the virtual environment and starts the program again in it."""
    if Path(sys.prefix).resolve() == ENVIRONMENT.resolve():
        return
    if not python().exists():
        print(f"making {ENVIRONMENT.relative_to(ROOT)}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
    marker = ENVIRONMENT / "installed"
    if not marker.exists():
        pip = [python(), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *NEEDED], check=True)
        for package in WELCOME:
            if subprocess.run([*pip, package]).returncode:
                print(f"{package} cannot be installed and is left out", flush=True)
        marker.touch()
    os.execv(python(), [str(python()), *sys.argv])


def programs():
    """Builds `kenning` and `peer`."""
    build = ["cargo", "build", "--release", "--workspace", "--bins"]
    subprocess.run(build, cwd=ROOT, check=True)


def model_folder():
    """The folder of the default model, fetched if need be."""
    pull = [TARGET / "release" / "kenning", "models", "pull", MODEL]
    output = subprocess.run(pull, check=True, text=True, stdout=subprocess.PIPE).stdout
    folder = Path(output.strip().splitlines()[-1])
    if not (folder / "config.json").is_file():
        raise SystemExit(f"`kenning models pull` named no folder of a model: {output}")
    return folder


def output_of(*command):
    try:
        return subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE).stdout.strip()
    except OSError:
        return "unknown"


def machine():
    """What the figures depend on besides the programs."""
    from importlib import metadata

    def version(package):
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            return None

    facts = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = [line.split(":")[1].strip() for line in facts.splitlines() if line.startswith("model name")]
    words = set(facts.split())
    versions = {package: version(package) for package in NEEDED + WELCOME}
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": names[0] if names else platform.processor(),
        "instructions": sorted(words & {"avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8"}),
        "processors": os.cpu_count(), "memory": memory, "system": platform.platform(),
        "python": platform.python_version(), "rustc": output_of("rustc", "--version"),
        "commit": output_of("git", "rev-parse", "--short", "HEAD"),
        "changed": bool(output_of("git", "status", "--porcelain", "--untracked-files=no", "--", ".", *WRITTEN)),
        "versions": {package: found for package, found in versions.items() if found},
        "date": time.strftime("%Y-%m-%d"),
    }
