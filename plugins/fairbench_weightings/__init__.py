"""Weightings that ship with fairbench; each module holds one rule and is imported on use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairbench.plugins import WeightingDescription, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator

_OFFERED = (
    ("equal", "equal:Equal", "Sum of the losses", ""),
    ("static", "static:Static", "Sum of the losses with fixed weights", ""),
    (
        "scale-invariant",
        "scale_invariant:ScaleInvariant",
        "Sum of the logarithms of the losses",
        "",
    ),
    (
        "geometric",
        "geometric:Geometric",
        "Geometric mean of the losses",
        "Chennupati et al., MultiNet++, CVPR Workshops 2019",
    ),
    (
        "random",
        "random_loss:RandomLoss",
        "Fresh random weights at every step, the baseline any rule should beat",
        "Lin et al., Reasonable effectiveness of random weighting, TMLR 2022",
    ),
    (
        "uncertainty",
        "uncertainty:Uncertainty",
        "Weights learned as the inverse noise variance of each task",
        "Kendall et al., Multi-task learning using uncertainty to weigh losses, CVPR 2018",
    ),
    (
        "dwa",
        "dwa:DynamicWeightAverage",
        "More weight to tasks whose loss fell least over the last two epochs",
        "Liu et al., End-to-end multi-task learning with attention, CVPR 2019",
    ),
    (
        "imtl-l",
        "imtl_l:ImpartialLoss",
        "Learned scales that make all weighted losses equal",
        "Liu et al., Towards impartial multi-task learning, ICLR 2021",
    ),
    (
        "stch",
        "stch:SmoothTchebycheff",
        "Smooth maximum of the losses",
        "Lin et al., Smooth Tchebycheff scalarization, ICML 2024",
    ),
    (
        "famo",
        "famo:FAMO",
        "Equal relative decrease of all losses, seen on each batch before and after its step",
        "Liu et al., FAMO: fast adaptive multitask optimization, NeurIPS 2023",
    ),
    (
        "gradnorm",
        "gradnorm:GradNorm",
        "Weights that bring gradient norms towards the tasks' relative training rates",
        "Chen et al., GradNorm, ICML 2018",
    ),
    (
        "mgda",
        "mgda:MultipleGradientDescent",
        "The shortest convex combination of the gradients",
        "Désidéri, Comptes Rendus 2012; Sener and Koltun, NeurIPS 2018",
    ),
    (
        "pcgrad",
        "pcgrad:PCGrad",
        "Each gradient loses its component against a conflicting one",
        "Yu et al., Gradient surgery for multi-task learning, NeurIPS 2020",
    ),
    (
        "gradvac",
        "gradvac:GradientVaccine",
        "Lifts the gradients' cosine to its moving average",
        "Wang et al., Gradient vaccine, ICLR 2021",
    ),
    (
        "cagrad",
        "cagrad:CAGrad",
        "Best worst-case improvement within a ball around the mean gradient",
        "Liu et al., Conflict-averse gradient descent, NeurIPS 2021",
    ),
    (
        "imtl-g",
        "imtl_g:ImpartialGradient",
        "The combination with equal projections on all unit gradients",
        "Liu et al., Towards impartial multi-task learning, ICLR 2021",
    ),
    (
        "nash-mtl",
        "nash_mtl:NashMTL",
        "The Nash bargaining solution of the tasks",
        "Navon et al., Multi-task learning as a bargaining game, ICML 2022",
    ),
    (
        "fairgrad",
        "fairgrad:FairGrad",
        "Alpha-fair allocation across tasks, not across people",
        "Ban and Ji, Fair resource allocation in multi-task learning, ICML 2024",
    ),
    (
        "aligned-mtl",
        "aligned_mtl:AlignedMTL",
        "Rescales the principal components of the gradients to one length",
        "Senushkin et al., Independent component alignment, CVPR 2023",
    ),
    (
        "upgrad",
        "upgrad:UPGrad",
        "Mean of the gradients, each projected to conflict with none",
        "Quinton and Rey, Jacobian descent for multi-objective optimization, 2024",
    ),
    (
        "dualproj",
        "dualproj:DualProjection",
        "The mean gradient projected to conflict with none",
        "Lopez-Paz and Ranzato, Gradient episodic memory, NeurIPS 2017",
    ),
    (
        "config",
        "config:ConFIG",
        "Conflict-free direction at equal cosine to all gradients",
        "Liu et al., ConFIG, 2024",
    ),
    (
        "sdmgrad",
        "sdmgrad:SDMGrad",
        "The shortest convex combination of the gradients, held to their mean",
        "Xiao, Ban and Ji, Direction-oriented multi-objective learning, NeurIPS 2023",
    ),
    (
        "modo",
        "modo:MoDo",
        "Weights that follow the shortest convex combination step by step",
        "Chen et al., Three-way trade-off in multi-objective learning, NeurIPS 2023",
    ),
    (
        "moco",
        "moco:MoCo",
        "The same along moving averages of the gradients",
        "Fernando et al., Mitigating gradient bias in multi-objective learning, ICLR 2023",
    ),
    (
        "graddrop",
        "graddrop:GradDrop",
        "Each parameter follows the tasks of one sign, drawn by how pure that is",
        "Chen et al., Just pick a sign, NeurIPS 2020",
    ),
    (
        "excess-mtl",
        "excess_mtl:ExcessMTL",
        "More weight to tasks that are far from where they will converge",
        "He et al., Robust multi-task learning with excess risks, ICML 2024",
    ),
    (
        "db-mtl",
        "db_mtl:DualBalancing",
        "Gradients of the losses' logarithms, brought to the length of the longest",
        "Lin et al., Dual-balancing for multi-task learning, 2023",
    ),
)


@hookimpl
def fairbench_weightings() -> Iterator[WeightingDescription]:
    """Every rule of this package."""
    for name, target, summary, citation in _OFFERED:
        yield WeightingDescription(
            name=name,
            summary=summary,
            target=f"fairbench_weightings.{target}",
            citation=citation,
        )
