"""The report's words for groups of people and photos, in English and Korean; `translations.WORDS` has them, too."""

GROUP_WORDS: dict[str, tuple[str, str]] = {
    "groups": ("For whom does it work?", "누구에게 잘 맞습니까?"),
    "groups_note": (
        "The champion's score for each group of people and photos of the validation split, with 95% intervals over "
        "subjects; the dotted line is that of all. Hollow: too small to say, as the group has fewer than {count} "
        "subjects or no image of some class. A p of at least 0.05 may be chance.",
        "최고 트라이얼의 점수를 검증 세트의 대상자와 사진 집단별로 나타냈습니다(대상자 단위 95% 구간). "
        "점선은 전체 점수입니다. "
        "속이 빈 점은 대상자가 {count}명 미만이거나 어떤 등급의 이미지가 없어 판단할 수 없는 집단입니다. "
        "p가 0.05 이상이면 우연일 수 있습니다.",
    ),
    "gap_is": (
        "{attribute}: worst is {worst}, best is {best}; the gap is {size}, p {p}.",
        "{attribute}: 가장 낮은 집단은 {worst}, 가장 높은 집단은 {best}입니다. 차이는 {size}, p {p}.",
    ),
    "gap_unknown": (
        "{attribute}: no two groups are large enough to compare.",
        "{attribute}: 비교할 만큼 큰 집단이 두 개 미만입니다.",
    ),
    "few_in_group": ("fewer than {count} subjects", "대상자 {count}명 미만"),
    "missing_in_group": ("no image of {names}", "등급 {names} 이미지 없음"),
    "device": ("Device", "장비"),
    "angle": ("Angle", "각도"),
    "age": ("Age", "나이"),
    "gender": ("Gender", "성별"),
    "skin_type": ("Skin type", "피부 타입"),
    "too_small": ("Too small to say", "판단 불가"),
    "gap_groups": (
        "The store does not know whom these images show, nor how they were taken.",
        "이 이미지들의 대상자와 촬영 정보가 저장소에 없습니다.",
    ),
}
