#!/usr/bin/env python3
"""Makes what is deployed without SAM: the zips, and a template without a transform that takes them from a bucket.

    infra/package.py FOLDER ARCHITECTURE=BUILT ...

writes to FOLDER the template, policy.zip, and for each architecture the zips of the functions, which
`cargo lambda build --output-format zip` has put into BUILT. It needs tests/deployed/requirements.txt.
"""

import hashlib
import json
import os
import pathlib
import shutil
import sys
import zipfile

# The translator asks boto3 for a region, and writes none into the template.
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from samcli.yamlhelper import yaml_dump, yaml_parse
from samtranslator.translator.transform import transform

ROOT = pathlib.Path(__file__).resolve().parents[1]
ARTIFACTS = {
    "ArtifactBucket": {
        "Type": "String",
        "AllowedPattern": "^[a-z0-9][a-z0-9.-]{1,46}$",
        "ConstraintDescription": "Must be the name of a bucket without its region.",
        "Description": "The bucket with the packages, without its region: in eu-west-1, packages stands for the bucket"
        " packages-eu-west-1. Lambda takes packages only from a bucket in its own region.",
    },
    "ArtifactPrefix": {
        "Type": "String",
        "AllowedPattern": "^[A-Za-z0-9!_.*'()/-]+/$",
        "ConstraintDescription": "Must end with a slash.",
        "Description": "Where in the bucket the packages are, such as ecr-warden/1.0.0/. Give every version, and every"
        " change of the policy, a place of its own: CloudFormation sees no change in a package under the same name.",
    },
}
LABELS = {"ArtifactBucket": "Bucket without its region", "ArtifactPrefix": "Prefix of the packages"}


class NoPolicies:
    """No role of ours takes a policy of AWS by name, so none is looked up."""

    def load(self) -> dict[str, str]:
        return {}


def located(key: str) -> dict:
    """A package in the bucket."""
    return {"Bucket": {"Fn::Sub": "${ArtifactBucket}-${AWS::Region}"}, "Key": {"Fn::Sub": "${ArtifactPrefix}" + key}}


def flat(template: dict) -> dict:
    """The template as CloudFormation itself understands it."""
    template["Parameters"] |= ARTIFACTS
    interface = template["Metadata"]["AWS::CloudFormation::Interface"]
    interface["ParameterGroups"].append({"Label": {"default": "Packages"}, "Parameters": list(ARTIFACTS)})
    interface["ParameterLabels"] |= {name: {"default": label} for name, label in LABELS.items()}
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::Function":
            del resource["Metadata"]
            name = properties["CodeUri"].removeprefix("functions/")
            properties["CodeUri"] = located(f"{name}-${{Architecture}}.zip")
        elif resource["Type"] == "AWS::Serverless::LayerVersion":
            properties["ContentUri"] = located("policy.zip")
    # Without values for the parameters, so that the translator leaves each reference as it is.
    translated = json.loads(json.dumps(transform(template, {}, NoPolicies(), passthrough_metadata=True)))
    serverless = [name for name, one in translated["Resources"].items() if one["Type"].startswith("AWS::Serverless")]
    assert not serverless and "Transform" not in translated, serverless
    return translated


def archive(target: pathlib.Path, *files: pathlib.Path) -> None:
    """A zip that is the same whenever it is made."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
        for file in files:
            info = zipfile.ZipInfo(file.name)
            info.external_attr = (0o755 if os.access(file, os.X_OK) else 0o644) << 16
            package.writestr(info, file.read_bytes(), zipfile.ZIP_DEFLATED)


def main(folder: pathlib.Path, built: dict[str, pathlib.Path]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    template = flat(yaml_parse((ROOT / "template.yaml").read_text()))
    (folder / "ecr-warden.yaml").write_text(yaml_dump(template))
    archive(folder / "policy.zip", *sorted((ROOT / "policy").iterdir()))
    for architecture, zips in built.items():
        for function in sorted((ROOT / "functions").iterdir()):
            shutil.copy(zips / function.name / "bootstrap.zip", folder / f"{function.name}-{architecture}.zip")
    files = sorted(file for file in folder.iterdir() if file.name != "SHA256SUMS")
    sums = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files)
    (folder / "SHA256SUMS").write_text(sums)


if __name__ == "__main__":
    if len(sys.argv) < 2 or not all("=" in argument for argument in sys.argv[2:]):
        sys.exit("usage: infra/package.py FOLDER ARCHITECTURE=BUILT ...")
    pairs = dict(argument.split("=", 1) for argument in sys.argv[2:])
    main(pathlib.Path(sys.argv[1]), {name: pathlib.Path(path) for name, path in pairs.items()})
