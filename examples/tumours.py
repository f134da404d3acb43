"""
Title: A classifier of tumours, for the physician who uses it
Description: What moves the network, a short account with its fidelity, and one patient explained.
Accelerator: None
"""

"""
## Introduction

You have a network that says from thirty measurements of cell nuclei whether a tumour is malignant,
and it is right on 97 % of patients that it never saw. Before you rely on it you want to know what
it looks at, whether a rule on paper would do as well, and why it decided as it did for the patient
in front of you.

`models/tumours.keras` was trained by `scripts/training/train_tables.py` on the table of breast
tumours that comes with scikit-learn. The measurements go in as they are; a layer of the network
scales them.

## Setup
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

from pathlib import Path

from sklearn.datasets import load_breast_cancer

import keras_symgrad as ks

model = Path(__file__).parent / "models" / "tumours.keras"
table = load_breast_cancer()
names = [name.replace(" ", "_") for name in table.feature_names]
quick = {
    "names": names,
    "search": ks.Search(methods="dictionary"),
    "time_limit": 6,
    "verbose": False,
}

"""
## What moves the network

The result begins with the inputs that move the network's logit most, each with its sign: `+` where
more of it speaks for a malignant tumour. `matches` says how far the formula may be trusted. This
network has no short exact formula, so the answer is an approximation, and says so.
"""

concept = ks.interpret(model, table.data, **quick)
for one in concept.influence[:6]:
    print(one)
print(f"\n{concept.matches}: {concept.rule}")

"""
## How faithful the short account is

Fidelity is the share of patients, kept apart from every fit, for whom the account decides as the
network does. Beside it stand a logistic model on all thirty measurements and a decision tree of
depth 3, fitted to the same decisions. If the logistic model is as faithful, a reader who prefers
weights to formulas loses nothing with it.
"""

print(concept.fidelity)

"""
The front goes from short to long. Often two or three measurements decide nearly as the whole
network does: `for_fidelity` gives the shortest account that agrees with it on a given share.
"""

for share in (0.9, 0.95):
    account = concept.front.for_fidelity(share)
    if account is not None:
        print(f"at least {100 * share:.0f} %: {account.to_pretty()} ({account.fidelity.shown})")

"""
## Where it holds

Thresholds on one or two measurements say where the account decides as the network does; where it
does nearly everywhere, there is no condition.
"""

print(concept.holds)

"""
## One patient

`near=` asks for the formula around one row. It holds up to `radius`, in widths of the table. For a
classifier the nearest boundary follows: the measurements at which the network would change its
mind. All that a result has to say beside its formula is in `remarks`.
"""

patient = 40
local = ks.interpret(model, table.data, near=patient, **quick | {"time_limit": 3})
print(f"patient {patient}: {local.matches}: {local.headline}")
for name, text in local.remarks:
    if name in ("radius", "nearest boundary"):
        print(f"{name}: {text}")
