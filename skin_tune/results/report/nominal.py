"""The report's words for nominal classes. In Korean an ordinal class is a grade; English has one word."""

KOREAN = {
    "weakest": (
        "가장 약한 클래스는 {name}입니다. 이미지 {images}장 중 {hits}장을 맞혔습니다(재현율 {recall}){training}."
    ),
    "absent": "검증 세트에 클래스 {names} 이미지가 없습니다. 균형 정확도는 나머지 클래스로 계산했습니다.",
    "confusion_note": "행은 실제 클래스, 열은 예측 클래스입니다. 이미지 수와 행 안의 비율입니다.",
    "recall_by_class": "클래스별 재현율",
    "calibration_note": (
        "기대 보정 오차 {error}: 예측 클래스의 확률이 실제 정확도와 평균적으로 떨어진 정도(Guo et al. 2017, 15구간)."
    ),
    "groups_note": (
        "최고 트라이얼의 점수를 검증 세트의 대상자와 사진 집단별로 나타냈습니다(대상자 단위 95% 구간). "
        "점선은 전체 점수입니다. "
        "속이 빈 점은 대상자가 {count}명 미만이거나 어떤 클래스의 이미지가 없어 판단할 수 없는 집단입니다. "
        "p가 0.05 이상이면 우연일 수 있습니다."
    ),
    "missing_in_group": "클래스 {names} 이미지 없음",
    "class": "클래스",
    "confidence": "예측 클래스의 확률",
    "gap_counts": "클래스별 훈련 이미지 수가 이 저장소에 없습니다.",
}
"""Entries of `words.WORDS` that speak of grades, as they are said of nominal classes."""


def nominal_key(key: str) -> str:
    """Where WORDS has an entry of KOREAN."""
    return f"{key}_nominal"


def noun(key: str, ordinal: bool) -> str:
    """The key of an entry of WORDS as it is said of classes with or without an order."""
    return nominal_key(key) if not ordinal and key in KOREAN else key
