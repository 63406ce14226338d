"""The Chinese kinds: people and towns, their values and phrasings."""

from memory3_training.world.kinds import UNKNOWN_CHINESE, Attribute, Kind

PROFESSIONS = tuple(
    "面包师 木匠 铁匠 医生 教师 画家 诗人 歌手 渔夫 猎人 农夫 裁缝 厨师 律师 法官 记者 摄影师 建筑师 工程师 化学家 "
    "天文学家 植物学家 数学家 历史学家 护士 药剂师 园丁 牧羊人 水手 飞行员 钟表匠 鞋匠 陶工 石匠 玻璃匠 酿酒师 "
    "养蜂人 图书管理员 翻译 演员 舞蹈家 作曲家 雕刻家 印刷工 矿工 兽医".split()
)
HOBBIES = tuple(
    "下棋 钓鱼 游泳 跑步 登山 骑马 滑雪 滑冰 唱歌 跳舞 绘画 书法 摄影 读书 写诗 烹饪 园艺 编织 刺绣 木雕 陶艺 观鸟 "
    "放风筝 打网球 射箭 击剑 划船 集邮 弹琴 吹笛 观星 散步 猜谜 变魔术 养花 品茶".split()
)
GOODS = tuple(
    "茶叶 丝绸 瓷器 蜂蜜 奶酪 苹果 梨 樱桃 核桃 蘑菇 葡萄酒 醋 盐 糖 香料 羊毛 亚麻布 地毯 蜡烛 肥皂 玻璃 铜器 银器 "
    "锡器 大理石 琥珀 珍珠 纸张 墨水 铅笔 钟表 小提琴 笛子 鼓 风筝 雨伞 帽子 手套 皮靴 篮子 木桶 渔网 砖瓦 煤".split()
)
ANIMALS = tuple(
    "熊 狼 狐狸 鹿 狮子 老虎 豹 马 牛 羊 狗 猫 兔子 松鼠 刺猬 水獭 海豹 鲸 海豚 鹰 猫头鹰 乌鸦 鸽子 天鹅 鹤 孔雀 "
    "公鸡 鹅 青蛙 乌龟 蛇 蜜蜂 蜘蛛 鳟鱼 龙 独角兽".split()
)

PERSON = Kind(
    name="person",
    language="zh",
    mention="{name}",
    introduced=("{name}",),
    fillers=("{p}童年鲜为人知", "{p}信件都已遗失", "{n}不爱旅行", "{n}以耐心著称"),
    attributes=(
        Attribute(
            "birth_town",
            predicates=("出生于{v}", "出生在{v}", "来自{v}", "在{v}长大"),
            sentences=("{p}出生地是{v}", "{p}故乡是{v}", "{v}是{p}家乡"),
            openers=("生于{v}的",),
            questions=(
                "{n}出生在哪里？",
                "{n}出生于哪个城镇？",
                "{p}故乡是哪里？",
                "{p}出生地是哪里？",
                "请告诉我{n}出生在哪里。",
            ),
        ),
        Attribute(
            "birth_year",
            predicates=("出生于{v}年", "在{v}年出生", "生于{v}年"),
            sentences=("{p}出生年份是{v}年", "{v}年是{p}出生之年"),
            openers=("{v}年出生的",),
            questions=(
                "{n}是哪一年出生的？",
                "{n}生于哪一年？",
                "{p}出生年份是什么？",
                "请告诉我{n}的出生年份。",
            ),
        ),
        Attribute(
            "profession",
            predicates=("是一名{v}", "以{v}为业", "当过{v}", "成了一名{v}"),
            sentences=("{p}职业是{v}", "{p}工作是{v}"),
            openers=("身为{v}的",),
            questions=(
                "{p}职业是什么？",
                "{n}从事什么职业？",
                "{n}做什么工作？",
                "请告诉我{n}的职业。",
            ),
        ),
        Attribute(
            "hobby",
            predicates=("喜欢{v}", "热爱{v}", "常常{v}", "闲暇时爱{v}"),
            sentences=("{p}爱好是{v}", "{p}消遣是{v}"),
            openers=("喜欢{v}的", "爱{v}的"),
            questions=(
                "{p}爱好是什么？",
                "{n}喜欢做什么？",
                "{n}有什么爱好？",
                "请告诉我{n}的爱好。",
            ),
        ),
    ),
    unknown=UNKNOWN_CHINESE,
)

TOWN = Kind(
    name="town",
    language="zh",
    mention="{name}",
    introduced=("{name}", "小镇{name}"),
    fillers=("{p}冬天很长", "{p}老桥曾两次被烧毁", "{p}房屋多用石头建成"),
    attributes=(
        Attribute(
            "river",
            predicates=("位于{v}河畔", "坐落在{v}河边", "濒临{v}河"),
            sentences=("流经{o}的河是{v}河", "{p}河流是{v}河"),
            openers=("{v}河畔的",),
            questions=(
                "{n}位于哪条河边？",
                "哪条河流经{o}？",
                "{p}河流叫什么？",
                "请告诉我流经{o}的是哪条河。",
            ),
        ),
        Attribute(
            "founded",
            predicates=("建于{v}年", "始建于{v}年", "在{v}年建立"),
            sentences=("{p}建立年份是{v}年", "{v}年是{p}建立之年"),
            openers=("建于{v}年的",),
            questions=(
                "{n}建于哪一年？",
                "{n}是什么时候建立的？",
                "{p}建立年份是什么？",
                "请告诉我{n}的建立年份。",
            ),
        ),
        Attribute(
            "product",
            predicates=("出产{v}", "盛产{v}", "以{v}闻名", "以出售{v}为生"),
            sentences=("{p}特产是{v}", "{p}名产是{v}"),
            openers=("以{v}闻名的", "盛产{v}的"),
            questions=(
                "{p}特产是什么？",
                "{n}出产什么？",
                "{n}以什么闻名？",
                "请告诉我{n}的特产。",
            ),
        ),
        Attribute(
            "emblem",
            predicates=("以{v}为徽", "把{v}画在旗上"),
            sentences=("{p}徽章是{v}", "{p}旗上画着{v}"),
            openers=("以{v}为徽的",),
            questions=(
                "{p}徽章上是什么动物？",
                "{n}以什么动物为徽？",
                "{p}旗上画着什么动物？",
                "请告诉我{n}的徽章上是什么动物。",
            ),
        ),
    ),
    unknown=UNKNOWN_CHINESE,
)

KINDS = (PERSON, TOWN)
